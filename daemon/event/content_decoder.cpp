#include "event/content_decoder.h"

#include "event/brotli_decoder.h"
#include "event/zlib_decoder.h"
#include "event/zstd_decoder.h"

namespace aa {
namespace {

// JSON that repeats itself gets to 30; what is made to hurt to 1,000.
constexpr std::uint64_t kMostRatio = 100;
constexpr std::uint64_t kAlwaysGiven = 64 * 1024;

}  // namespace

std::unique_ptr<ContentDecoder> ContentDecoder::make(Coding coding, const Budget& budget) {
  const bool is_wide = coding == Coding::brotli || coding == Coding::zstd;
  BudgetShare share(budget, is_wide ? &ReaderBudget::wide_decoders : &ReaderBudget::decoders);
  if (!share) return nullptr;
  if (coding == Coding::brotli) return std::make_unique<BrotliDecoder>(std::move(share));
  if (coding == Coding::zstd) return std::make_unique<ZstdDecoder>(std::move(share));
  return std::make_unique<ZlibDecoder>(coding, std::move(share));
}

ContentDecoder::Outcome ContentDecoder::take(std::string_view bytes, const Give& give) {
  taken_ += bytes.size();
  Block block;
  Step done{Outcome::fine, 0, !bytes.empty()};
  while (done.goes_on) {
    done = step(bytes, block);
    given_ += done.made;
    if (done.made > 0) give({block.data(), done.made});
    if (done.outcome != Outcome::fine) return done.outcome;
    if (given_ > kAlwaysGiven && given_ / kMostRatio > taken_) return Outcome::bound;
  }
  return Outcome::fine;
}

}  // namespace aa
