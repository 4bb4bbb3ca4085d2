// event/coding.h: how a body is coded.
#pragma once

#include <cstdint>

namespace aa {

enum class Coding : std::uint8_t {
  none,
  gzip,
  deflate,  // as HTTP has it: with zlib's head, which some leave out
  brotli,
  zstd,
  bare,   // without any head, as in WebSocket
  other,  // nobody here undoes it
};

}  // namespace aa
