#include "event/zstd_decoder.h"

#include <zstd_errors.h>

namespace aa {

ZstdDecoder::ZstdDecoder(BudgetShare share) : ContentDecoder(std::move(share)), state_(ZSTD_createDCtx()) {
  if (state_) ZSTD_DCtx_setParameter(state_.get(), ZSTD_d_windowLogMax, kMostWindow);
}

// One packed text behind another is their texts one behind the other: the library begins anew by itself.
ContentDecoder::Step ZstdDecoder::step(std::string_view& bytes, Block& block) {
  if (!state_) return {Outcome::bound};
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer out{block.data(), block.size(), 0};
  const std::size_t said = ZSTD_decompressStream(state_.get(), &out, &in);
  bytes.remove_prefix(in.pos);
  if (ZSTD_isError(said) != 0) {
    const ZSTD_ErrorCode error = ZSTD_getErrorCode(said);
    const bool is_large = error == ZSTD_error_frameParameter_windowTooLarge || error == ZSTD_error_memory_allocation;
    return {is_large ? Outcome::bound : Outcome::broken, out.pos};
  }
  return {Outcome::fine, out.pos, !bytes.empty() || out.pos == block.size()};
}

}  // namespace aa
