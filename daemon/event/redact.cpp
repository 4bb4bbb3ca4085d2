#include "event/redact.h"

#include <algorithm>

#include "event/secret_scanner.h"

namespace aa {
void redact_paths(Event& event) {
  auto& file = std::get<FileBody>(event.body);
  if (file.resolution == Resolution::kernel) return;
  const auto redact = [](FilePath& at) {
    at.path = without_secrets(at.path, SecretText::script);
    at.ns_path = without_secrets(at.ns_path, SecretText::script);
  };
  redact(file.at);
  if (file.to) redact(*file.to);
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
    if (auto node = streams_.extract(key)) flush(node.mapped(), give);
    return give(std::move(event));
  }
  Stream& stream = stream_of(key, body, give);
  stream.next = body.offset + body.length;
  const std::string data = std::move(body.data);
  const std::uint64_t missing = body.length - data.size();
  const Withheld why = body.withheld;
  body.withheld = Withheld::nothing;
  stream.last = std::move(event);
  Pieces pieces;
  stream.reader.take(data, pieces);
  if (missing > 0) stream.reader.miss(missing, pieces);
  std::vector<Piece> all = pieces.take();
  if (missing > 0) add_missing(all, missing, why);
  tell(stream, std::move(all), give);
}

// The stream that these bytes go on, told of what is missing before them.
Redactor::Stream& Redactor::stream_of(const Key& key, const TlsBody& body, const Give& give) {
  auto found = streams_.find(key);
  const bool goes_back = found != streams_.end() && body.offset < found->second.next;
  if (goes_back) {
    flush(found->second, give);
    streams_.erase(found);
    found = streams_.end();
  }
  if (found == streams_.end()) {
    StreamReader reader(body.offset, body.from_start, budget_);
    found = streams_.emplace(key, Stream{std::move(reader), body.offset, body.offset, {}, false}).first;
  }
  Stream& stream = found->second;
  if (body.offset == stream.next) return stream;
  Pieces pieces;
  stream.reader.miss(body.offset - stream.next, pieces);
  tell(stream, pieces.take(), give);
  stream.shown = body.offset;
  return stream;
}

// Bytes of the call that never came are told with those before them, where these are the stream's own.
void Redactor::add_missing(std::vector<Piece>& pieces, std::uint64_t missing, Withheld why) {
  if (pieces.empty() || pieces.back().undone != 0) pieces.emplace_back();
  pieces.back().length += missing;
  pieces.back().why = why;
}

void Redactor::tell(Stream& stream, std::vector<Piece> pieces, const Give& give) {
  stream.holds = stream.reader.holds();
  for (Piece& piece : pieces) {
    Event event = stream.last;
    auto& body = std::get<TlsBody>(event.body);
    body.offset = stream.shown;
    body.length = piece.length;
    body.withheld = piece.why;
    body.undone = piece.undone;
    body.stream = piece.stream;
    body.data = std::move(piece.text);
    for (const Redaction& one : piece.redactions)
      body.redactions.push_back({std::string(one.kind), one.offset, one.length});
    stream.shown += body.length;
    give(std::move(event));
  }
}

void Redactor::flush(Stream& stream, const Give& give) {
  Pieces pieces;
  stream.reader.flush(pieces);
  tell(stream, pieces.take(), give);
}

void Redactor::close(const ProcessId& process, std::uint32_t connection, const Give& give) {
  for (const TlsDirection direction : {TlsDirection::send, TlsDirection::recv})
    if (auto node = streams_.extract(Key{process, connection, direction})) flush(node.mapped(), give);
}

void Redactor::end(const ProcessId& process, const Give& give) {
  const auto begin = streams_.lower_bound(Key{process, 0, TlsDirection::send});
  auto last = begin;
  for (; last != streams_.end() && std::get<0>(last->first) == process; ++last) flush(last->second, give);
  streams_.erase(begin, last);
}

void Redactor::end_all(const Give& give) {
  for (auto& [key, stream] : streams_) flush(stream, give);
  streams_.clear();
}

void Redactor::on_time(std::uint64_t now_boot_ns, const Give& give) {
  for (auto& [key, stream] : streams_)
    if (stream.holds && stream.last.boot_ns + kPatienceNs <= now_boot_ns) flush(stream, give);
}

std::optional<std::uint64_t> Redactor::next_deadline() const {
  std::optional<std::uint64_t> next;
  for (const auto& [key, stream] : streams_) {
    if (!stream.holds) continue;
    const std::uint64_t due = stream.last.boot_ns + kPatienceNs;
    next = next ? std::min(*next, due) : due;
  }
  return next;
}

Undecided Redactor::undecided() const {
  Undecided all;
  for (const auto& [key, stream] : streams_) {
    if (!stream.holds) continue;
    const std::uint64_t at = stream.last.boot_ns;
    all.first_boot_ns = all.bytes == 0 ? at : std::min(all.first_boot_ns, at);
    all.last_boot_ns = std::max(all.last_boot_ns, at);
    all.bytes += stream.next - stream.shown;
  }
  return all;
}

}  // namespace aa
