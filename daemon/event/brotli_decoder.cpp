#include "event/brotli_decoder.h"

#include <cstdlib>
#include <new>

namespace aa {
namespace {

// Before each piece of memory: how large it is.
constexpr std::size_t kHead = alignof(std::max_align_t);

}  // namespace

BrotliDecoder::BrotliDecoder(BudgetShare share)
    : ContentDecoder(std::move(share)), state_(BrotliDecoderCreateInstance(allocate, release, this)) {}

void* BrotliDecoder::allocate(void* self, std::size_t size) {
  auto& decoder = *static_cast<BrotliDecoder*>(self);
  decoder.was_refused_ = decoder.was_refused_ || size > kMostMemory - decoder.used_;
  void* memory = decoder.was_refused_ ? nullptr : std::malloc(kHead + size);
  if (memory == nullptr) return nullptr;
  decoder.used_ += size;
  new (memory) std::size_t(size);
  return static_cast<char*>(memory) + kHead;
}

void BrotliDecoder::release(void* self, void* memory) {
  if (memory == nullptr) return;
  char* begin = static_cast<char*>(memory) - kHead;
  static_cast<BrotliDecoder*>(self)->used_ -= *reinterpret_cast<std::size_t*>(begin);
  std::free(begin);
}

ContentDecoder::Step BrotliDecoder::step(std::string_view& bytes, Block& block) {
  if (!state_ || BrotliDecoderIsFinished(state_.get()) != 0) return {Outcome::broken};
  auto* in = reinterpret_cast<const std::uint8_t*>(bytes.data());
  auto* out = reinterpret_cast<std::uint8_t*>(block.data());
  std::size_t in_left = bytes.size(), out_left = block.size();
  const auto said = BrotliDecoderDecompressStream(state_.get(), &in_left, &in, &out_left, &out, nullptr);
  bytes.remove_prefix(bytes.size() - in_left);
  const std::size_t made = block.size() - out_left;
  if (said == BROTLI_DECODER_RESULT_ERROR) return {was_refused_ ? Outcome::bound : Outcome::broken, made};
  const bool has_ended = said == BROTLI_DECODER_RESULT_SUCCESS;
  return {Outcome::fine, made, said == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT || (has_ended && !bytes.empty())};
}

}  // namespace aa
