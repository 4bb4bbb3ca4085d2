#include "event/zlib_decoder.h"

namespace aa {
namespace {

// zlib's own way to say what head it shall expect.
constexpr int kWindow = 15;
constexpr int kGzipWindow = kWindow + 16;

bool begins_zlib(unsigned char first) {
  return (first & 0x0F) == 8 && first >> 4 <= 7;  // such a byte begins no bare one: its padding would not be 0
}

}  // namespace

ZlibDecoder::~ZlibDecoder() {
  if (is_started_) inflateEnd(&zlib_);
}

bool ZlibDecoder::start(unsigned char first) {
  const bool is_bare = coding_ == Coding::bare || (coding_ == Coding::deflate && !begins_zlib(first));
  is_started_ = inflateInit2(&zlib_, is_bare ? -kWindow : coding_ == Coding::gzip ? kGzipWindow : kWindow) == Z_OK;
  return is_started_;
}

ContentDecoder::Step ZlibDecoder::step(std::string_view& bytes, Block& block) {
  if (!is_started_ && !start(static_cast<unsigned char>(bytes[0]))) return {Outcome::broken};
  // One packed text behind another is their texts one behind the other (RFC 1952); a message's may end its own too.
  if (has_ended_ && (coding_ == Coding::deflate || inflateReset(&zlib_) != Z_OK)) return {Outcome::broken};
  // zlib is from before const; it does not write there.
  zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  zlib_.avail_in = static_cast<uInt>(bytes.size());
  zlib_.next_out = reinterpret_cast<Bytef*>(block.data());
  zlib_.avail_out = block.size();
  const int said = inflate(&zlib_, Z_SYNC_FLUSH);
  bytes.remove_prefix(bytes.size() - zlib_.avail_in);
  const std::size_t made = block.size() - zlib_.avail_out;
  has_ended_ = said == Z_STREAM_END;
  const bool is_fine = said == Z_OK || said == Z_STREAM_END || said == Z_BUF_ERROR;
  const bool has_moved = said != Z_BUF_ERROR || made > 0;
  const bool has_more = !bytes.empty() || (made == block.size() && !has_ended_);
  return {is_fine ? Outcome::fine : Outcome::broken, made, has_moved && has_more};
}

}  // namespace aa
