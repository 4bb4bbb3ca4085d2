#include "event/redact.h"

#include <utility>

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
    if (const Place found = streams_.find(key); found != streams_.end()) end(found, give);
    return give(std::move(event));
  }
  const Place place = stream_of(key, body, give);
  Stream& stream = place->second;
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
  note_held(place);
}

// The stream that these bytes go on, told of what is missing before them.
Redactor::Place Redactor::stream_of(const Key& key, const TlsBody& body, const Give& give) {
  const Place found = streams_.find(key);
  const bool goes_back = found != streams_.end() && body.offset < found->second.next;
  if (goes_back) end(found, give);
  if (goes_back || found == streams_.end()) return begin(key, body, give);
  Stream& stream = found->second;
  by_use_.splice(by_use_.end(), by_use_, stream.used);
  if (body.offset == stream.next) return found;
  Pieces pieces;
  stream.reader.miss(body.offset - stream.next, pieces);
  tell(stream, pieces.take(), give);
  stream.shown = body.offset;
  return found;
}

Redactor::Place Redactor::begin(const Key& key, const TlsBody& body, const Give& give) {
  if (streams_.size() >= most_streams_) end(streams_.find(by_use_.front()), give);
  Stream stream{StreamReader(body.offset, body.from_start, budget_), body.offset, body.offset};
  stream.used = by_use_.insert(by_use_.end(), key);
  return streams_.emplace(key, std::move(stream)).first;
}

// Bytes of the call that never came are told with those before them, where these are the stream's own.
void Redactor::add_missing(std::vector<Piece>& pieces, std::uint64_t missing, Withheld why) {
  if (pieces.empty() || pieces.back().undone != 0) pieces.emplace_back();
  pieces.back().length += missing;
  pieces.back().why = why;
}

void Redactor::tell(Stream& stream, std::vector<Piece> pieces, const Give& give) {
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

void Redactor::flush(Place place, const Give& give) {
  Pieces pieces;
  place->second.reader.flush(pieces);
  tell(place->second, pieces.take(), give);
  note_held(place);
}

void Redactor::end(Place place, const Give& give) {
  flush(place, give);
  forget_held(place);
  by_use_.erase(place->second.used);
  streams_.erase(place);
}

void Redactor::note_held(Place place) {
  forget_held(place);
  auto& [key, stream] = *place;
  if (!stream.reader.holds()) return;
  stream.holds = true;
  stream.held_ns = stream.last.boot_ns;
  stream.held_bytes = stream.next - stream.shown;
  held_.emplace(stream.held_ns, key);
  held_bytes_ += stream.held_bytes;
}

void Redactor::forget_held(Place place) {
  auto& [key, stream] = *place;
  if (!std::exchange(stream.holds, false)) return;
  held_.erase({stream.held_ns, key});
  held_bytes_ -= stream.held_bytes;
}

void Redactor::close(const ProcessId& process, std::uint32_t connection, const Give& give) {
  for (const TlsDirection direction : {TlsDirection::send, TlsDirection::recv})
    if (const Place found = streams_.find(Key{process, connection, direction}); found != streams_.end())
      end(found, give);
}

void Redactor::end(const ProcessId& process, const Give& give) {
  for (auto at = streams_.lower_bound(Key{process, 0, TlsDirection::send});
       at != streams_.end() && std::get<0>(at->first) == process;)
    end(at++, give);
}

void Redactor::end_all(const Give& give) {
  while (!streams_.empty()) end(streams_.begin(), give);
}

void Redactor::on_time(std::uint64_t now_boot_ns, const Give& give) {
  for (auto due = held_.begin(); due != held_.end() && due->first + kPatienceNs <= now_boot_ns;) {
    const Key key = (due++)->second;
    flush(streams_.find(key), give);
  }
}

std::optional<std::uint64_t> Redactor::next_deadline() const {
  if (held_.empty()) return std::nullopt;
  return held_.begin()->first + kPatienceNs;
}

Undecided Redactor::undecided() const {
  if (held_.empty()) return {};
  return {held_bytes_, held_.begin()->first, held_.rbegin()->first};
}

}  // namespace aa
