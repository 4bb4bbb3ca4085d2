// event/protocol_reader.h: what all readers of one direction of a connection have in common.
//
// Comes in: its bytes, in order, from whoever wrote them. Goes out: pieces. A reader that does not understand (any
// more) withholds; none guesses, and none keeps more than its own header says.
#pragma once

#include <cstdint>
#include <string_view>

#include "event/stream_piece.h"

namespace aa {

class ProtocolReader {
 public:
  ProtocolReader() = default;
  virtual ~ProtocolReader() = default;
  ProtocolReader(const ProtocolReader&) = delete;
  ProtocolReader& operator=(const ProtocolReader&) = delete;

  // Takes bytes, how many is the answer: fewer than all when another protocol begins behind them.
  virtual std::size_t take(std::string_view bytes, Pieces& out) = 0;
  // Another protocol begins here.
  virtual bool is_done() const { return false; }
  // So many bytes are missing (0: some that were never counted). They belong to no piece.
  virtual void miss(std::uint64_t bytes, Pieces& out) = 0;
  // What is held is told.
  virtual void flush(Pieces& out) = 0;
  virtual bool holds() const = 0;
};

}  // namespace aa
