#include "event/redact.h"

#include <algorithm>
#include <array>

namespace aa {
namespace {

// The argument behind one of these is a header, whole; so is what a longer one holds behind its '='.
constexpr std::array<std::string_view, 5> kHeaderOptions = {"-H", "--header", "-b", "--cookie", "--proxy-header"};

bool is_header_option(std::string_view argument) {
  return std::find(kHeaderOptions.begin(), kHeaderOptions.end(), argument) != kHeaderOptions.end();
}

std::string redacted_header(const std::string& argument) {
  return without_secrets(argument, SecretText::stream);
}

std::string redacted_argument(const std::string& argument) {
  const std::size_t equals = argument.find('=');
  if (equals != std::string::npos && is_header_option(std::string_view(argument).substr(0, equals)))
    return argument.substr(0, equals + 1) + redacted_header(argument.substr(equals + 1));
  return without_secrets(argument, SecretText::script);
}

}  // namespace

void redact_arguments(std::vector<std::string>& argv) {
  bool is_header = false;
  for (std::string& argument : argv) {
    const bool names_header = is_header_option(argument);
    argument = is_header ? redacted_header(argument) : redacted_argument(argument);
    is_header = names_header;
  }
}

void Redactor::take(Event event, const Give& give) {
  if (std::holds_alternative<TlsBody>(event.body)) return take_tls(std::move(event), give);
  if (const auto* closed = std::get_if<TlsClosedBody>(&event.body)) close(event.process->id, closed->connection, give);
  if (auto* exec = std::get_if<ExecBody>(&event.body)) {
    redact_arguments(exec->argv);
    exec->filename = without_secrets(exec->filename, SecretText::script);
  }
  if (auto* file = std::get_if<FileBody>(&event.body)) {
    file->at.requested = without_secrets(file->at.requested, SecretText::script);
    if (file->to) file->to->requested = without_secrets(file->to->requested, SecretText::script);
  }
  give(std::move(event));
}

void Redactor::take_tls(Event event, const Give& give) {
  auto& body = std::get<TlsBody>(event.body);
  const Key key{event.process->id, body.connection, body.direction};
  const bool has_no_bytes = body.withheld == Withheld::level || body.withheld == Withheld::file;
  if (body.is_full || has_no_bytes) {
    if (auto node = streams_.extract(key))
      tell(node.mapped(), node.mapped().scanner.flush(), 0, Withheld::nothing, give);
    return give(std::move(event));
  }
  auto [found, is_new] = streams_.try_emplace(key, Stream{SecretScanner(SecretText::stream, body.offset)});
  Stream& stream = found->second;
  if (is_new) {
    stream.next = stream.shown = body.offset;
    if (body.offset != 0 || !body.from_start) (void)stream.scanner.miss(0);
  } else if (body.offset != stream.next) {
    const std::uint64_t gap = body.offset > stream.next ? body.offset - stream.next : 0;
    tell(stream, stream.scanner.miss(gap), 0, Withheld::nothing, give);
    stream.shown = body.offset;
  }
  stream.next = body.offset + body.length;
  const std::string data = std::move(body.data);
  const std::uint64_t missing = body.length - data.size();
  const Withheld why = body.withheld;
  stream.last = std::move(event);
  SecretScanner::Shown shown = stream.scanner.take(data);
  if (missing > 0) {
    SecretScanner::Shown rest = stream.scanner.miss(missing);
    shown.bytes += rest.bytes;
    shown.redactions.insert(shown.redactions.end(), rest.redactions.begin(), rest.redactions.end());
  }
  tell(stream, std::move(shown), missing, why, give);
}

void Redactor::tell(Stream& stream, SecretScanner::Shown shown, std::uint64_t missing, Withheld why, const Give& give) {
  if (shown.bytes.empty() && missing == 0) return;
  Event event = stream.last;
  auto& body = std::get<TlsBody>(event.body);
  body.offset = stream.shown;
  body.length = shown.bytes.size() + missing;
  body.withheld = why;
  body.data = std::move(shown.bytes);
  for (const Redaction& one : shown.redactions)
    body.redactions.push_back({std::string(one.kind), one.offset, one.length});
  stream.shown += body.length;
  give(std::move(event));
}

void Redactor::close(const ProcessId& process, std::uint32_t connection, const Give& give) {
  for (const TlsDirection direction : {TlsDirection::send, TlsDirection::recv}) {
    auto node = streams_.extract(Key{process, connection, direction});
    if (node) tell(node.mapped(), node.mapped().scanner.flush(), 0, Withheld::nothing, give);
  }
}

void Redactor::end(const ProcessId& process, const Give& give) {
  const auto begin = streams_.lower_bound(Key{process, 0, TlsDirection::send});
  auto last = begin;
  for (; last != streams_.end() && std::get<0>(last->first) == process; ++last)
    tell(last->second, last->second.scanner.flush(), 0, Withheld::nothing, give);
  streams_.erase(begin, last);
}

void Redactor::on_time(std::uint64_t now_boot_ns, const Give& give) {
  for (auto& [key, stream] : streams_)
    if (stream.scanner.held() > 0 && stream.last.boot_ns + kPatienceNs <= now_boot_ns)
      tell(stream, stream.scanner.flush(), 0, Withheld::nothing, give);
}

std::optional<std::uint64_t> Redactor::next_deadline() const {
  std::optional<std::uint64_t> next;
  for (const auto& [key, stream] : streams_) {
    if (stream.scanner.held() == 0) continue;
    const std::uint64_t due = stream.last.boot_ns + kPatienceNs;
    next = next ? std::min(*next, due) : due;
  }
  return next;
}

}  // namespace aa
