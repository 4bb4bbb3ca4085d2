#include "event/http1_reader.h"

#include <algorithm>
#include <charconv>

namespace aa {
namespace {

constexpr std::size_t kMostLine = 8 * 1024;
constexpr std::size_t kMostChunkLine = 1024;

// The bytes of one call often begin with a message, and always with its first line whole.
bool begins_message(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kMostLine).find('\n');
  if (end == std::string_view::npos || end == 0) return false;
  return is_first_line(bytes.substr(0, bytes[end - 1] == '\r' ? end - 1 : end));
}

}  // namespace

std::size_t Http1Reader::take(std::string_view bytes, Pieces& out) {
  if ((state_ == State::text || state_ == State::lost) && begins_message(bytes)) start_message(out);
  std::size_t done = 0;
  while (done < bytes.size() && state_ != State::websocket) {
    done += step(bytes.substr(done), out);
  }
  return done;
}

std::size_t Http1Reader::step(std::string_view bytes, Pieces& out) {
  switch (state_) {
    case State::head:
      return in_head(bytes, out);
    case State::body:
      return in_body(bytes, out);
    case State::chunk_size:
      return in_chunk_size(bytes, out);
    case State::chunk:
      return in_chunk(bytes, out);
    case State::chunk_end:
      return in_chunk_end(bytes, out);
    case State::trailer:
      return in_trailer(bytes, out);
    case State::lost:
      return lose(bytes, out);
    case State::text:
    case State::websocket:
      break;
  }
  show(bytes, out);
  return passed(bytes.size());
}

// ---- messages ----

std::size_t Http1Reader::in_head(std::string_view bytes, Pieces& out) {
  const bool is_letter = bytes[0] >= 'A' && bytes[0] <= 'Z';
  if (asked_for_websocket_ && head_.is_at_start() && !is_letter) {
    state_ = State::websocket;
    return 0;
  }
  const std::size_t taken = head_.take(bytes);
  show(bytes.substr(0, taken), out);
  offset_ += taken;
  if (!head_.is_http())
    state_ = State::text;
  else if (head_.starts_websocket())
    state_ = head_.is_complete() ? State::websocket : State::head;
  else if (head_.is_complete())
    start_body(out);
  if (state_ == State::websocket) flush(out);
  return taken;
}

void Http1Reader::start_body(Pieces& out) {
  const bool is_raw = !head_.is_chunked() && head_.coding() == Coding::none;
  asked_for_websocket_ = !head_.is_response() && head_.asks_for_websocket();
  if (head_.is_chunked()) {
    state_ = State::chunk_size;
    line_.clear();
  } else {
    left_ = head_.length();
    state_ = State::body;
    if (left_ && *left_ == 0) return start_message(out);
  }
  at_body_start_ = true;
  if (is_raw) return start_raw(SecretText::body, out);
  out.add(raw_.flush());
  body_.emplace(head_.is_chunked() ? kChunked : Undone{0}, 0, head_.coding(), budget_);
}

void Http1Reader::start_raw(SecretText text, Pieces& out) {
  out.add(raw_.flush());
  raw_ = SecretScanner(text, offset_);
}

void Http1Reader::start_message(Pieces& out) {
  flush(out);
  body_.reset();
  head_ = {};
  start_raw(SecretText::stream, out);
  state_ = State::head;
}

// The answer to a HEAD names a length and has no body: behind it comes the next answer.
bool Http1Reader::is_at_answer(std::string_view bytes) const {
  return at_body_start_ && head_.is_response() && bytes.starts_with("HTTP/1.");
}

// ---- bodies ----

std::size_t Http1Reader::in_body(std::string_view bytes, Pieces& out) {
  if (is_at_answer(bytes)) {
    start_message(out);
    return 0;
  }
  at_body_start_ = false;
  const std::size_t taken = left_ ? std::min<std::uint64_t>(*left_, bytes.size()) : bytes.size();
  const std::string_view part = bytes.substr(0, taken);
  if (body_)
    body_->take(part, 0, out);
  else
    show(part, out);
  offset_ += taken;
  if (!left_) return taken;
  *left_ -= taken;
  if (*left_ == 0) start_message(out);
  return taken;
}

std::size_t Http1Reader::in_chunk_size(std::string_view bytes, Pieces& out) {
  if (is_at_answer(bytes)) {
    start_message(out);
    return 0;
  }
  at_body_start_ = false;
  const std::size_t end = bytes.find('\n');
  const std::size_t taken = end == std::string_view::npos ? bytes.size() : end + 1;
  if (line_.size() + taken > kMostChunkLine) return lose(bytes, out);
  line_ += bytes.substr(0, taken);
  body_->take({}, taken, out);
  offset_ += taken;
  if (end == std::string_view::npos) return taken;
  std::uint64_t size = 0;
  const auto [stop, error] = std::from_chars(line_.data(), line_.data() + line_.size(), size, 16);
  if (error != std::errc() || std::string_view("\r\n; \t").find(*stop) == std::string_view::npos) {
    state_ = State::lost;
    return taken;
  }
  line_.clear();
  left_ = size;
  state_ = size == 0 ? State::trailer : State::chunk;
  return taken;
}

std::size_t Http1Reader::in_chunk(std::string_view bytes, Pieces& out) {
  const std::size_t taken = std::min<std::uint64_t>(*left_, bytes.size());
  body_->take(bytes.substr(0, taken), 0, out);
  *left_ -= taken;
  if (*left_ == 0) state_ = State::chunk_end;
  return passed(taken);
}

std::size_t Http1Reader::in_chunk_end(std::string_view bytes, Pieces& out) {
  if (bytes[0] != '\r' && bytes[0] != '\n') return lose(bytes, out);
  body_->take({}, 1, out);
  if (bytes[0] == '\n') state_ = State::chunk_size;
  return passed(1);
}

// Fields behind the last chunk, and an empty line: nobody needs to see them.
std::size_t Http1Reader::in_trailer(std::string_view bytes, Pieces& out) {
  const std::size_t end = bytes.find('\n');
  const std::size_t taken = end == std::string_view::npos ? bytes.size() : end + 1;
  body_->take({}, taken, out);
  offset_ += taken;
  line_ += bytes.substr(0, std::min(taken, kMostChunkLine - std::min(kMostChunkLine, line_.size())));
  if (end == std::string_view::npos) return taken;
  const bool is_last = line_ == "\r\n" || line_ == "\n";
  line_.clear();
  if (is_last) start_message(out);
  return taken;
}

std::size_t Http1Reader::lose(std::string_view bytes, Pieces& out) {
  if (state_ != State::lost) flush(out);
  state_ = State::lost;
  Piece piece;
  piece.undone = kChunked;
  piece.why = Withheld::broken;
  piece.length = bytes.size();
  out.add(std::move(piece));
  return passed(bytes.size());
}

// ---- what is missing, what is held ----

void Http1Reader::miss(std::uint64_t bytes, Pieces& out) {
  offset_ += bytes;
  if (body_)
    body_->miss(out);
  else
    out.add(raw_.miss(bytes));
  const bool in_payload = state_ == State::body || state_ == State::chunk;
  if (in_payload && (!left_ || *left_ > bytes)) {
    if (left_) *left_ -= bytes;
    at_body_start_ = false;
    return;
  }
  if (state_ == State::text || state_ == State::lost) return;
  state_ = (head_.is_chunked() && body_) || asked_for_websocket_ ? State::lost : State::text;
  body_.reset();
  raw_ = SecretScanner(SecretText::stream, offset_);
  (void)raw_.miss(0);  // it is inside of something unseen
}

void Http1Reader::flush(Pieces& out) {
  out.add(raw_.flush());
  if (body_) body_->flush(out);
}

}  // namespace aa
