#include "event/text_reader.h"

namespace aa {

void TextReader::take(std::string_view text, Piece& piece) {
  if (!is_binary_) append(scanner_.take(text), piece);
}

void TextReader::append(SecretScanner::Shown shown, Piece& piece) {
  for (const Redaction& one : shown.redactions) {
    if (one.kind == kBinary) {  // up to the end
      is_binary_ = true;
      shown.bytes.resize(one.offset - told_);
      break;
    }
    piece.redactions.push_back({one.kind, one.offset - told_ + piece.text.size(), one.length});
  }
  told_ += shown.bytes.size();
  piece.text += shown.bytes;
}

}  // namespace aa
