// event/content_decoder.h: undoes gzip, deflate, br and zstd, as the bytes come, within bounds.
//
// Comes in: coded bytes in pieces, from whoever wrote them. Goes out: what they stand for, block by block. What grows
// to more than kMostRatio times its size is not followed; for the memory that decoders take there is a budget.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "event/coding.h"
#include "event/reader_budget.h"

namespace aa {

class ContentDecoder {
 public:
  // Of any coding but none and other. nullptr: there are too many already, or no memory.
  static std::unique_ptr<ContentDecoder> make(Coding coding, const Budget& budget);
  virtual ~ContentDecoder() = default;
  ContentDecoder(const ContentDecoder&) = delete;
  ContentDecoder& operator=(const ContentDecoder&) = delete;

  enum class Outcome : std::uint8_t { fine, broken, bound };
  using Give = std::function<void(std::string_view)>;
  // Anything but fine is for ever.
  Outcome take(std::string_view bytes, const Give& give);

 protected:
  // Undoes a part: as much as fits into the block. `bytes` loses what was taken.
  struct Step {
    Outcome outcome = Outcome::fine;
    std::size_t made = 0;
    bool goes_on = false;  // there is more to be made of these bytes
  };
  using Block = std::array<char, 16 * 1024>;
  virtual Step step(std::string_view& bytes, Block& block) = 0;

  explicit ContentDecoder(BudgetShare share) : share_(std::move(share)) {}

 private:
  BudgetShare share_;
  std::uint64_t taken_ = 0;
  std::uint64_t given_ = 0;
};

}  // namespace aa
