// event/zstd_decoder.h: zstd (RFC 8878), by libzstd: a window of at most 8 MiB, as the RFC wants it of everybody.
#pragma once

#include <zstd.h>

#include <memory>

#include "event/content_decoder.h"

namespace aa {

class ZstdDecoder final : public ContentDecoder {
 public:
  static constexpr int kMostWindow = 23;  // its logarithm

  explicit ZstdDecoder(BudgetShare share);

 private:
  struct Delete {
    void operator()(ZSTD_DCtx* state) const { ZSTD_freeDCtx(state); }
  };
  Step step(std::string_view& bytes, Block& block) override;

  std::unique_ptr<ZSTD_DCtx, Delete> state_;
};

}  // namespace aa
