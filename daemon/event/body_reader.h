// event/body_reader.h: the body of an HTTP message: what its content coding holds, without secrets.
//
// Comes in: a body's bytes, without the framing that carried them. Goes out: pieces of what was undone before and of
// what is undone here. What cannot be undone is withheld, from there to its end.
#pragma once

#include <memory>

#include "event/content_decoder.h"
#include "event/stream_piece.h"
#include "event/text_reader.h"

namespace aa {

class BodyReader {
 public:
  // `undone`, `stream`: what was undone before this.
  BodyReader(Undone undone, std::uint32_t stream, Coding coding, Budget budget);

  // The body goes on with these bytes, which `framing` more of the stream have carried.
  void take(std::string_view bytes, std::uint64_t framing, Pieces& out);
  // So many of its bytes are missing.
  void miss(Pieces& out);
  // What is held is told: nothing came for a while, or the body has ended.
  void flush(Pieces& out);
  bool holds() const { return text_.held() > 0; }

 private:
  Piece piece(std::uint64_t length) const;
  void decode(std::string_view bytes, Piece& piece, Pieces& out);
  void withhold(Withheld why);

  Undone undone_;
  std::uint32_t stream_;
  Coding coding_;
  Budget budget_;
  std::unique_ptr<ContentDecoder> decoder_;
  TextReader text_;
  Withheld why_ = Withheld::nothing;
};

}  // namespace aa
