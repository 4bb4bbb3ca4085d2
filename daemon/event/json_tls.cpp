// event/json_tls.cpp: the own member of `tls` events.
#include "base/text.h"
#include "event/json_object.h"
#include "event/tls_functions.h"

namespace aa {
namespace {

void append_data(JsonObject& object, const std::string& data) {
  if (data.empty()) return;
  const bool text = is_utf8(data);
  object.words("encoding", text ? "text" : "base64");
  if (text)
    object.words("data", data);
  else
    object.key("data").append("\"").append(base64(data)).append("\"");
}

// How many of the stream's bytes `data` shows, or stands for.
std::uint64_t captured_of(const TlsBody& body) {
  if (body.undone == 0) return body.data.size();
  return body.withheld == Withheld::nothing ? body.length : 0;
}

void append_redactions(std::string& out, const std::vector<TlsRedaction>& redactions) {
  out.push_back('[');
  for (const TlsRedaction& redaction : redactions) {
    if (&redaction != &redactions.front()) out.push_back(',');
    JsonObject entry(out);
    entry.words("kind", redaction.kind);
    entry.number("offset", redaction.offset);
    entry.number("length", redaction.length);
    entry.close();
  }
  out.push_back(']');
}

}  // namespace

void append_body(JsonObject& event, std::string& out, const TlsBody& body) {
  const TlsFunction* function = tls_function(body.function);
  event.key("tls");
  JsonObject object(out);
  object.words("direction", name_of(body.direction));
  if (function != nullptr) {
    object.words("library", function->library);
    object.words("function", function->name);
  }
  object.number("connection", body.connection);
  if (body.inherited_from) object.number("inherited_from", *body.inherited_from);
  object.boolean("from_start", body.from_start);
  if (!body.peer.empty()) {
    object.words("peer", body.peer);
    object.words("peer_source", name_of(body.peer_source));
  }
  object.number("offset", body.offset);
  object.number("length", body.length);
  object.number("captured", captured_of(body));
  object.number("call_length", body.call_length);
  object.only_true("truncated", captured_of(body) < body.length);
  if (body.withheld != Withheld::nothing) object.words("withheld", name_of(body.withheld));
  if (body.undone != 0) object.list("decoded", names_of(body.undone));
  if (body.stream != 0) object.number("stream", body.stream);
  append_data(object, body.data);
  if (!body.redactions.empty()) append_redactions(object.key("redactions"), body.redactions);
  object.close();
}

}  // namespace aa
