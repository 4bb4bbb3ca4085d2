// event/stream_reader.h: one direction of a connection, whatever protocol it speaks.
//
// Comes in: its bytes, from its first on or from some later one. Goes out: pieces without secrets. The first bytes say
// which protocol it is: HTTP/2 must be met at its start, a WebSocket begins behind HTTP/1, all else is HTTP/1 or text.
#pragma once

#include <memory>
#include <string>

#include "event/protocol_reader.h"
#include "event/reader_budget.h"

namespace aa {

class StreamReader {
 public:
  // `offset`: of the first byte that will come; `from_start`: it is the connection's first.
  StreamReader(std::uint64_t offset, bool from_start, Budget budget);

  void take(std::string_view bytes, Pieces& out);
  void miss(std::uint64_t bytes, Pieces& out);
  void flush(Pieces& out);
  bool holds() const { return !first_.empty() || (reader_ && reader_->holds()); }

 private:
  bool choose();
  void settle(Pieces& out);
  void follow(std::string_view bytes, Pieces& out);

  std::uint64_t offset_;
  Budget budget_;
  std::string first_;  // bytes that do not say yet
  std::unique_ptr<ProtocolReader> reader_;
};

}  // namespace aa
