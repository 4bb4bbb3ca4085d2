#include "event/http2_reader.h"

#include <algorithm>

namespace aa {
namespace {

constexpr std::uint8_t kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPromise = 5, kContinuation = 9;
constexpr std::uint8_t kEndStream = 1, kEndHeaders = 4, kPadded = 8, kPriority = 0x20;
constexpr std::uint64_t kPriorityBytes = 5, kPromisedBytes = 4, kSettingBytes = 6, kMostFirstSettings = 4096;

std::uint32_t number(const unsigned char* bytes, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t at = 0; at < count; ++at) value = value << 8 | bytes[at];
  return value;
}

}  // namespace

bool Http2Reader::is_server_start(std::string_view frame_head) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(frame_head.data());
  if (frame_head.size() < kFrameHead) return false;
  const std::uint32_t length = number(bytes, 3);
  return length % kSettingBytes == 0 && length <= kMostFirstSettings && bytes[3] == kSettings && bytes[4] == 0 &&
         number(bytes + 5, 4) == 0;
}

std::size_t Http2Reader::take(std::string_view bytes, Pieces& out) {
  headers_.begin_call(bytes.size());
  std::size_t done = 0;
  while (done < bytes.size() && !is_lost_) {
    const std::string_view rest = bytes.substr(done);
    done += preface_ > 0 ? in_preface(rest) : in_frame_ ? in_payload(rest, out) : in_head(rest, out);
  }
  Piece rest;
  rest.undone = kHttp2;
  rest.why = is_lost_ ? Withheld::broken : Withheld::nothing;
  rest.length = std::exchange(uncounted_, 0) + bytes.size() - done;
  out.add(std::move(rest));
  return bytes.size();
}

void Http2Reader::lose(Pieces& out) {
  flush(out);
  streams_.clear();
  is_lost_ = true;
}

// ---- frames ----

std::size_t Http2Reader::in_preface(std::string_view bytes) {
  const std::size_t taken = std::min(preface_, bytes.size());
  preface_ -= taken;
  count(taken);
  return taken;
}

std::size_t Http2Reader::in_head(std::string_view bytes, Pieces& out) {
  const std::size_t taken = std::min(kFrameHead - head_taken_, bytes.size());
  std::copy_n(bytes.begin(), taken, head_.begin() + static_cast<std::ptrdiff_t>(head_taken_));
  head_taken_ += taken;
  if (head_taken_ == kFrameHead) {
    head_taken_ = 0;
    frame_ = {number(head_.data(), 3), head_[3], head_[4], number(head_.data() + 5, 4) & 0x7FFFFFFF};
    if (!begin_frame()) lose(out);
  }
  count(taken);
  if (in_frame_ && !is_lost_ && frame_.left == 0) end_frame(out);
  return taken;
}

// False: nothing behind it can be followed.
bool Http2Reader::begin_frame() {
  in_frame_ = true;
  const bool is_continuation = frame_.type == kContinuation;
  if ((block_stream_ != 0) != is_continuation || (is_continuation && frame_.stream != block_stream_)) return false;
  const bool is_block = frame_.type == kHeaders || frame_.type == kPromise;
  if (!is_block && frame_.type != kData) return true;
  frame_.is_padded = (frame_.flags & kPadded) != 0;
  if (is_block && (frame_.flags & kPriority) != 0 && frame_.type == kHeaders) frame_.skip = kPriorityBytes;
  if (frame_.type == kPromise) frame_.skip = kPromisedBytes;
  if (frame_.stream == 0 || frame_.left < frame_.skip + (frame_.is_padded ? 1 : 0)) return false;
  if (!is_block) return true;
  block_stream_ = frame_.stream;
  block_is_promise_ = frame_.type == kPromise;
  block_ends_stream_ = frame_.type == kHeaders && (frame_.flags & kEndStream) != 0;
  return true;
}

std::size_t Http2Reader::in_payload(std::string_view bytes, Pieces& out) {
  if (frame_.is_padded) {
    frame_.padding = static_cast<unsigned char>(bytes[0]);
    frame_.is_padded = false;
    --frame_.left;
    count(1);
    if (frame_.padding + frame_.skip > frame_.left) lose(out);
    if (frame_.left == 0 && !is_lost_) end_frame(out);
    return 1;
  }
  std::size_t taken = std::min<std::uint64_t>(frame_.left, bytes.size());
  if (frame_.skip > 0) {
    taken = std::min<std::uint64_t>(frame_.skip, taken);
    frame_.skip -= taken;
    count(taken);
  } else {
    if (frame_.left > frame_.padding) taken = std::min<std::uint64_t>(taken, frame_.left - frame_.padding);
    take_payload(bytes.substr(0, taken), out);
  }
  frame_.left -= taken;
  if (frame_.left == 0 && !is_lost_) end_frame(out);
  return taken;
}

void Http2Reader::take_payload(std::string_view bytes, Pieces& out) {
  if (frame_.left <= frame_.padding) return count(bytes.size());
  if (frame_.type == kHeaders || frame_.type == kPromise || frame_.type == kContinuation)
    return take_fragment(bytes, out);
  if (frame_.type == kData) return take_data(bytes, out);
  count(bytes.size());
}

void Http2Reader::end_frame(Pieces& out) {
  in_frame_ = false;
  const bool is_block = frame_.type == kHeaders || frame_.type == kPromise || frame_.type == kContinuation;
  if (is_block && (frame_.flags & kEndHeaders) != 0) end_block(out);
  if (frame_.type == kReset || (frame_.type == kData && (frame_.flags & kEndStream) != 0))
    end_stream(frame_.stream, out);
}

// ---- header blocks ----

void Http2Reader::take_fragment(std::string_view bytes, Pieces& out) {
  if (!headers_.take(bytes, false)) lose(out);
  count(bytes.size());
}

void Http2Reader::end_block(Pieces& out) {
  if (!headers_.take({}, true)) return lose(out);
  const Http2Headers::Block block = headers_.block();
  const std::uint32_t stream = std::exchange(block_stream_, 0);
  Piece piece;
  piece.undone = kHttp2 | kHpack;
  piece.stream = stream;
  piece.length = std::exchange(uncounted_, 0);
  TextReader text;
  text.take(block.lines, piece);
  text.flush(piece);
  piece.why = block.is_cut ? Withheld::bound : text.is_binary() ? Withheld::binary : Withheld::nothing;
  out.cut();
  out.add(std::move(piece));
  if (block_is_promise_) return;
  if (block_ends_stream_) return end_stream(stream, out);
  if (block.is_interim) return;
  begin_stream(stream, block.coding, out);
}

void Http2Reader::begin_stream(std::uint32_t stream, Coding coding, Pieces& out) {
  if (streams_.contains(stream)) return;                                          // fields behind its data
  if (streams_.size() >= kMostStreams) end_stream(streams_.begin()->first, out);  // the oldest
  BudgetShare share(budget_, &ReaderBudget::streams);
  if (share) streams_.emplace(stream, Stream{std::move(share), BodyReader(kHttp2, stream, coding, budget_)});
}

// ---- data ----

void Http2Reader::take_data(std::string_view bytes, Pieces& out) {
  const std::uint64_t framing = std::exchange(uncounted_, 0);
  const auto found = streams_.find(frame_.stream);
  if (found != streams_.end()) return found->second.body.take(bytes, framing, out);
  Piece piece;  // of a stream whose header nobody saw
  piece.undone = kHttp2;
  piece.stream = frame_.stream;
  piece.why = Withheld::broken;
  piece.length = bytes.size() + framing;
  out.add(std::move(piece));
}

void Http2Reader::end_stream(std::uint32_t stream, Pieces& out) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  found->second.body.flush(out);
  streams_.erase(found);
}

// ---- what is missing, what is held ----

// Within a frame of data only that is missing; anything else leaves nothing to go by.
void Http2Reader::miss(std::uint64_t bytes, Pieces& out) {
  if (is_lost_) return;
  const bool is_data = in_frame_ && frame_.type == kData && !frame_.is_padded;
  if (!is_data || bytes == 0 || frame_.left <= bytes) return lose(out);
  frame_.left -= bytes;
  if (const auto found = streams_.find(frame_.stream); found != streams_.end()) found->second.body.miss(out);
}

void Http2Reader::flush(Pieces& out) {
  for (auto& [id, stream] : streams_) stream.body.flush(out);
}

bool Http2Reader::holds() const {
  return std::any_of(streams_.begin(), streams_.end(), [](const auto& entry) { return entry.second.body.holds(); });
}

}  // namespace aa
