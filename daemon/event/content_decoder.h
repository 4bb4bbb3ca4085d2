// event/content_decoder.h: undoes gzip and deflate, as the bytes come, within bounds.
//
// Comes in: coded bytes in pieces, from whoever wrote them. Goes out: what they stand for, block by block. A decoder
// takes some 40 KiB, of which there is a budget. What grows beyond kMostRatio is not followed.
#pragma once

#include <zlib.h>

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
  // Of gzip, deflate or bare. nullptr: there are too many already, or no memory.
  static std::unique_ptr<ContentDecoder> make(Coding coding, const Budget& budget);
  ~ContentDecoder();
  ContentDecoder(const ContentDecoder&) = delete;
  ContentDecoder& operator=(const ContentDecoder&) = delete;

  enum class Outcome : std::uint8_t { fine, broken, bound };
  using Give = std::function<void(std::string_view)>;
  // Anything but fine is for ever.
  Outcome take(std::string_view bytes, const Give& give);

 private:
  ContentDecoder(Coding coding, BudgetShare share) : coding_(coding), share_(std::move(share)) {}
  bool start(unsigned char first);
  bool is_beyond_bounds() const;

  Coding coding_;
  BudgetShare share_;
  z_stream zlib_ = {};
  bool is_started_ = false;
  bool has_ended_ = false;
  std::uint64_t taken_ = 0;
  std::uint64_t given_ = 0;
};

}  // namespace aa
