// event/brotli_decoder.h: br (RFC 7932), by libbrotlidec: at most kMostMemory each, for its window may be 16 MiB.
#pragma once

#include <brotli/decode.h>

#include <memory>

#include "event/content_decoder.h"

namespace aa {

class BrotliDecoder final : public ContentDecoder {
 public:
  static constexpr std::size_t kMostMemory = 8 << 20;

  explicit BrotliDecoder(BudgetShare share);

 private:
  struct Delete {
    void operator()(BrotliDecoderState* state) const { BrotliDecoderDestroyInstance(state); }
  };
  Step step(std::string_view& bytes, Block& block) override;
  static void* allocate(void* self, std::size_t size);
  static void release(void* self, void* memory);

  std::size_t used_ = 0;
  bool was_refused_ = false;
  std::unique_ptr<BrotliDecoderState, Delete> state_;  // last: it gives back what it uses
};

}  // namespace aa
