#include "event/decode_tls.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>
#include <string>

#include "abi/event.h"
#include "event/bad_record.h"
#include "event/tls_functions.h"

namespace aa {
namespace {

Event event_of(const aa_tls& raw) {
  ProcessRef process;
  process.id = {raw.tgid, raw.start_ns};
  process.tid = raw.tid;
  process.image = raw.image;
  Event event;
  event.boot_ns = raw.boot_ns;
  event.slot = raw.slot;
  event.process = std::move(process);
  return event;
}

Withheld withheld_of(const aa_tls& raw, std::size_t captured) {
  const auto flag = [&raw](unsigned bit) { return (raw.flags & bit) != 0; };
  if (flag(AA_TLS_FLAG_UNREAD)) return Withheld::unreadable;
  if (captured == raw.length) return Withheld::nothing;
  if (flag(AA_TLS_FLAG_CUT)) return Withheld::limit;
  return flag(AA_TLS_FLAG_FILE) ? Withheld::file : Withheld::level;
}

Result<Event> decode_data(const aa_tls& raw, std::string_view bytes) {
  const TlsFunction* function = tls_function(raw.function);
  if (function == nullptr) return bad_record("unknown TLS function " + std::to_string(raw.function));
  if (bytes.size() > raw.length)
    return bad_record("a TLS record of " + std::to_string(raw.length) + " bytes of its stream brings " +
                      std::to_string(bytes.size()));
  TlsBody body;
  body.function = raw.function;
  body.direction = function->direction;
  body.connection = raw.connection;
  body.from_start = (raw.flags & AA_TLS_FLAG_FROM_START) != 0;
  body.offset = raw.offset;
  body.length = raw.length;
  body.call_length = raw.call_length;
  body.withheld = withheld_of(raw, bytes.size());
  body.is_full = (raw.flags & AA_TLS_FLAG_FULL) != 0;
  body.data = bytes;
  Event event = event_of(raw);
  event.body = std::move(body);
  return event;
}

// "127.0.0.1:443", "[::1]:443"; "" when there is none.
std::string peer_text(const aa_tls_peer& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (peer.family != AF_INET && peer.family != AF_INET6) return "";
  if (::inet_ntop(peer.family, peer.address, text.data(), text.size()) == nullptr) return "";
  const std::string address = peer.family == AF_INET ? text.data() : "[" + std::string(text.data()) + "]";
  return address + ":" + std::to_string(peer.port);
}

Result<Event> decode_connection(const aa_tls& raw, std::span<const std::byte> record) {
  aa_tls_connection connection;
  if (record.size() != sizeof(connection))
    return bad_record("a TLS connection of " + std::to_string(record.size()) + " bytes instead of " +
                      std::to_string(sizeof(connection)));
  std::memcpy(&connection, record.data(), sizeof(connection));
  Event event = event_of(raw);
  const std::string peer = peer_text(connection.peer);
  if (connection.peer.source >= kPeerSourceCount)
    return bad_record("unknown source of a peer " + std::to_string(connection.peer.source));
  const auto source = peer.empty() ? PeerSource::none : static_cast<PeerSource>(connection.peer.source);
  event.body = TlsConnectionBody{raw.connection, connection.inherited_from, peer, source};
  return event;
}

}  // namespace

bool is_tls_kind(std::uint16_t kind) {
  return kind == AA_KIND_TLS || kind == AA_KIND_TLS_CONNECTION || kind == AA_KIND_TLS_CLOSED;
}

Result<Event> decode_tls(std::span<const std::byte> record) {
  aa_tls raw;
  if (record.size() < sizeof(raw))
    return bad_record("a TLS record of " + std::to_string(record.size()) + " bytes is too short");
  std::memcpy(&raw, record.data(), sizeof(raw));
  if (raw.version != AA_RECORD_VERSION) return bad_record("its version is " + std::to_string(raw.version));
  if (raw.tgid == 0) return bad_record("it names no process");
  if (raw.size < sizeof(raw) || raw.size > record.size())
    return bad_record("a TLS record of " + std::to_string(record.size()) + " bytes claims " + std::to_string(raw.size));
  record = record.first(raw.size);
  if (raw.kind == AA_KIND_TLS_CONNECTION) return decode_connection(raw, record);
  if (raw.kind == AA_KIND_TLS_CLOSED) {
    Event event = event_of(raw);
    event.body = TlsClosedBody{raw.connection};
    return event;
  }
  return decode_data(raw, {reinterpret_cast<const char*>(record.data()) + sizeof(raw), record.size() - sizeof(raw)});
}

}  // namespace aa
