#include "event/content_decoder.h"

#include <array>
#include <utility>

namespace aa {
namespace {

constexpr std::size_t kBlock = 16 * 1024;
// JSON that repeats itself gets to 30; what is made to hurt to 1,000.
constexpr std::uint64_t kMostRatio = 100;
constexpr std::uint64_t kAlwaysGiven = 64 * 1024;

// zlib's own way to say what head it shall expect.
constexpr int kWindow = 15;
constexpr int kGzipWindow = kWindow + 16;

bool begins_zlib(unsigned char first) {
  return (first & 0x0F) == 8 && first >> 4 <= 7;  // such a byte begins no bare one: its padding would not be 0
}

}  // namespace

std::unique_ptr<ContentDecoder> ContentDecoder::make(Coding coding, const Budget& budget) {
  BudgetShare share(budget, &ReaderBudget::decoders);
  if (!share) return nullptr;
  return std::unique_ptr<ContentDecoder>(new ContentDecoder(coding, std::move(share)));
}

ContentDecoder::~ContentDecoder() {
  if (is_started_) inflateEnd(&zlib_);
}

bool ContentDecoder::start(unsigned char first) {
  const bool is_bare = coding_ == Coding::bare || (coding_ == Coding::deflate && !begins_zlib(first));
  is_started_ = inflateInit2(&zlib_, is_bare ? -kWindow : coding_ == Coding::gzip ? kGzipWindow : kWindow) == Z_OK;
  return is_started_;
}

bool ContentDecoder::is_beyond_bounds() const {
  return given_ > kAlwaysGiven && given_ / kMostRatio > taken_;
}

ContentDecoder::Outcome ContentDecoder::take(std::string_view bytes, const Give& give) {
  if (bytes.empty()) return Outcome::fine;
  if (!is_started_ && !start(static_cast<unsigned char>(bytes[0]))) return Outcome::broken;
  taken_ += bytes.size();
  std::array<char, kBlock> block;
  // zlib is from before const; it does not write there.
  zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  zlib_.avail_in = static_cast<uInt>(bytes.size());
  do {
    // One packed text behind another is their texts one behind the other (RFC 1952); a message's may end its own too.
    if (has_ended_ && (zlib_.avail_in == 0 || coding_ == Coding::deflate || inflateReset(&zlib_) != Z_OK))
      return zlib_.avail_in == 0 ? Outcome::fine : Outcome::broken;
    zlib_.next_out = reinterpret_cast<Bytef*>(block.data());
    zlib_.avail_out = block.size();
    const int said = inflate(&zlib_, Z_SYNC_FLUSH);
    const std::size_t made = block.size() - zlib_.avail_out;
    given_ += made;
    if (made > 0) give({block.data(), made});
    has_ended_ = said == Z_STREAM_END;
    if (said != Z_OK && said != Z_STREAM_END && said != Z_BUF_ERROR) return Outcome::broken;
    if (is_beyond_bounds()) return Outcome::bound;
    if (said == Z_BUF_ERROR && made == 0) break;
  } while (zlib_.avail_in > 0 || zlib_.avail_out == 0 || has_ended_);
  return Outcome::fine;
}

}  // namespace aa
