#include "event/websocket_reader.h"

#include <algorithm>
#include <string>
#include <utility>

namespace aa {
namespace {

constexpr unsigned char kFin = 0x80, kPacked = 0x40, kReserved = 0x30, kOpcode = 0x0F, kMasked = 0x80;
constexpr unsigned char kNextFragment = 0, kBinaryMessage = 2, kControl = 8, kPong = 10;
constexpr std::uint64_t kMostControl = 125;
// What a sender leaves away at each message's end.
constexpr std::string_view kMessageEnd("\x00\x00\xFF\xFF", 4);

}  // namespace

Piece WebSocketReader::piece(std::uint64_t length) const {
  Piece piece;
  piece.undone = is_packed_ ? kWebSocket | kDeflate : kWebSocket;
  piece.length = length;
  piece.why = is_lost_ ? Withheld::broken : message_why_;
  return piece;
}

std::size_t WebSocketReader::take(std::string_view bytes, Pieces& out) {
  std::size_t done = 0;
  while (done < bytes.size() && !is_lost_)
    done += in_frame_ ? in_payload(bytes.substr(done), out) : in_head(bytes.substr(done), out);
  out.add(piece(std::exchange(uncounted_, 0) + bytes.size() - done));
  return bytes.size();
}

// ---- heads ----

// As far as its first two bytes say.
std::size_t WebSocketReader::head_size() const {
  if (head_taken_ < 2) return 2;
  const unsigned length = head_[1] & 0x7F;
  return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + ((head_[1] & kMasked) != 0 ? 4 : 0);
}

std::size_t WebSocketReader::in_head(std::string_view bytes, Pieces& out) {
  std::size_t taken = 0;
  while (taken < bytes.size() && head_taken_ < head_size())
    head_[head_taken_++] = static_cast<unsigned char>(bytes[taken++]);
  const bool is_whole = head_taken_ >= 2 && head_taken_ == head_size();
  if (is_whole && !read_head()) lose(out);
  if (is_whole && begins_ && !is_lost_) {
    flush(out);
    out.cut();
    start_message();
  }
  uncounted_ += taken;
  if (is_whole && left_ == 0 && !is_lost_) add_payload({}, out);
  return taken;
}

// False: no frame is like that.
bool WebSocketReader::read_head() {
  const unsigned char opcode = head_[0] & kOpcode;
  std::size_t at = 2;
  left_ = head_[1] & 0x7F;
  for (std::size_t more = left_ == 126 ? 2 : left_ == 127 ? 8 : 0; more > 0; --more) {
    if (at == 2) left_ = 0;
    left_ = left_ << 8 | head_[at++];
  }
  const bool is_masked = (head_[1] & kMasked) != 0;
  for (std::size_t byte = 0; byte < mask_.size(); ++byte) mask_[byte] = is_masked ? head_[at + byte] : 0;
  head_taken_ = 0;
  unmasked_ = 0;
  in_frame_ = true;
  is_control_ = opcode >= kControl;
  is_last_ = (head_[0] & kFin) != 0;
  begins_ = !is_control_ && opcode != kNextFragment;
  if ((head_[0] & kReserved) != 0 || left_ > INT64_MAX) return false;
  if (is_control_) return opcode <= kPong && is_last_ && left_ <= kMostControl && (head_[0] & kPacked) == 0;
  return opcode <= kBinaryMessage && (begins_ || (head_[0] & kPacked) == 0);
}

void WebSocketReader::start_message() {
  is_packed_ = (head_[0] & kPacked) != 0;
  text_ = {};
  message_why_ = is_packed_ ? packed_why_ : Withheld::nothing;
}

// ---- payloads ----

std::size_t WebSocketReader::in_payload(std::string_view bytes, Pieces& out) {
  const std::size_t taken = std::min<std::uint64_t>(left_, bytes.size());
  std::string plain(bytes.substr(0, taken));
  for (char& byte : plain) byte = static_cast<char>(static_cast<unsigned char>(byte) ^ mask_[unmasked_++ % 4]);
  left_ -= taken;
  add_payload(plain, out);
  return taken;
}

void WebSocketReader::add_payload(std::string_view bytes, Pieces& out) {
  Piece next = piece(std::exchange(uncounted_, 0) + bytes.size());
  if (!is_control_) decode(bytes, next, out);
  if (left_ == 0) end_frame(next, out);
  out.add(std::move(next));
}

void WebSocketReader::end_frame(Piece& piece, Pieces& out) {
  in_frame_ = false;
  if (is_control_ || !is_last_) return;
  if (is_packed_) decode(kMessageEnd, piece, out);
  text_.flush(piece);
}

// A message that is no text is decompressed all the same: the next one needs it.
void WebSocketReader::decode(std::string_view bytes, Piece& piece, Pieces& out) {
  if (!is_packed_) {
    text_.take(bytes, piece);
  } else if (packed_why_ == Withheld::nothing) {
    if (!decoder_) decoder_ = ContentDecoder::make(Coding::bare, budget_);
    const auto give = [&](std::string_view text) {
      text_.take(text, piece);
      out.spill(piece);
    };
    const auto outcome = decoder_ ? decoder_->take(bytes, give) : ContentDecoder::Outcome::bound;
    if (outcome == ContentDecoder::Outcome::broken) packed_why_ = Withheld::broken;
    if (outcome == ContentDecoder::Outcome::bound) packed_why_ = Withheld::bound;
  }
  if (packed_why_ != Withheld::nothing) decoder_.reset();
  if (message_why_ == Withheld::nothing && is_packed_) message_why_ = packed_why_;
  if (message_why_ == Withheld::nothing && text_.is_binary()) message_why_ = Withheld::binary;
  if (message_why_ != Withheld::nothing) text_.flush(piece);
  piece.why = message_why_;
}

// ---- what is missing, what is held ----

void WebSocketReader::lose(Pieces& out) {
  flush(out);
  is_lost_ = true;
  decoder_.reset();
}

void WebSocketReader::miss(std::uint64_t bytes, Pieces& out) {
  if (is_lost_) return;
  Piece rest = piece(0);
  text_.miss(rest);
  out.add(std::move(rest));
  if (!in_frame_ || bytes == 0 || left_ <= bytes) return lose(out);
  left_ -= bytes;
  unmasked_ += bytes;
  if (!is_packed_ || is_control_) return;
  packed_why_ = message_why_ = Withheld::broken;
  decoder_.reset();
}

void WebSocketReader::flush(Pieces& out) {
  Piece rest = piece(0);
  text_.flush(rest);
  out.add(std::move(rest));
}

}  // namespace aa
