// event/coding.h: how a body is coded, and what bounds those who undo it.
#pragma once

#include <cstdint>
#include <memory>

namespace aa {

enum class Coding : std::uint8_t {
  none,
  gzip,
  deflate,  // as HTTP has it: with zlib's head, which some leave out
  bare,     // without any head, as in WebSocket
  other,    // nobody here undoes it
};

// How many decoders there are. Shared by those whom it bounds.
using DecoderCount = std::shared_ptr<std::size_t>;

}  // namespace aa
