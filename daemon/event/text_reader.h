// event/text_reader.h: looks for secrets in a text that was read out of a stream.
//
// Comes in: the text of one body or message, in order. Goes out: the same in pieces, without its secrets, up to the
// first byte that is no text: what lies behind that is not shown, nor looked into.
#pragma once

#include <string_view>

#include "event/secret_scanner.h"
#include "event/stream_piece.h"

namespace aa {

class TextReader {
 public:
  // Appends to the piece's text what may be shown of it by now.
  void take(std::string_view text, Piece& piece);
  // The same of what is held.
  void flush(Piece& piece) { append(scanner_.flush(), piece); }
  // Some of the text was missed.
  void miss(Piece& piece) { append(scanner_.miss(0), piece); }
  std::size_t held() const { return scanner_.held(); }
  bool is_binary() const { return is_binary_; }

 private:
  void append(SecretScanner::Shown shown, Piece& piece);

  SecretScanner scanner_{SecretText::body};
  std::uint64_t told_ = 0;
  bool is_binary_ = false;
};

}  // namespace aa
