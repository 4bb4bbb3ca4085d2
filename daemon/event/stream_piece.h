// event/stream_piece.h: what a reader of a stream has to tell: pieces, one behind the other.
//
// Comes in: what readers say about the bytes they were given. Goes out: pieces whose lengths add up to those bytes.
// Where nothing was undone a piece's text is those bytes themselves, with '*' for what is not shown; else it is the
// text that could be read out of them by then, and a piece of no length has text that was waiting.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "event/event.h"
#include "event/secret_scanner.h"

namespace aa {

struct Piece {
  Undone undone = 0;
  std::uint32_t stream = 0;  // of HTTP/2
  Withheld why = Withheld::nothing;
  std::uint64_t length = 0;  // bytes of the stream
  std::string text = {};
  std::vector<Redaction> redactions = {};  // offsets are the stream's, or in `text` where something was undone

  bool is_empty() const { return length == 0 && text.empty(); }
};

class Pieces {
 public:
  // Joins it to the last one where they are of one kind, and not too long together. Of very many those behind are
  // joined as well though another message begins, or else withheld.
  void add(Piece piece);
  // Adds what there is of it, if that is much; the piece goes on empty.
  void spill(Piece& piece);
  // Bytes of the stream as they are.
  void add(SecretScanner::Shown shown);
  // The next one is joined to none: another message begins.
  void cut() { is_cut_ = true; }
  std::vector<Piece> take() { return std::exchange(all_, {}); }

 private:
  bool joins(const Piece& piece) const;
  void withhold(const Piece& piece);

  std::vector<Piece> all_;
  bool is_cut_ = false;
};

}  // namespace aa
