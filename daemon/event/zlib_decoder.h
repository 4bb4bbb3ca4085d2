// event/zlib_decoder.h: gzip and deflate, by zlib: some 40 KiB each.
#pragma once

#include <zlib.h>

#include "event/content_decoder.h"

namespace aa {

class ZlibDecoder final : public ContentDecoder {
 public:
  ZlibDecoder(Coding coding, BudgetShare share) : ContentDecoder(std::move(share)), coding_(coding) {}
  ~ZlibDecoder() override;

 private:
  Step step(std::string_view& bytes, Block& block) override;
  bool start(unsigned char first);

  Coding coding_;
  z_stream zlib_ = {};
  bool is_started_ = false;
  bool has_ended_ = false;
};

}  // namespace aa
