#include "event/body_reader.h"

#include <utility>

namespace aa {
namespace {

Undone undone_by(Coding coding) {
  if (coding == Coding::brotli) return kBrotli;
  if (coding == Coding::zstd) return kZstd;
  return coding == Coding::gzip ? kGzip : coding == Coding::deflate ? kDeflate : Undone{0};
}

}  // namespace

BodyReader::BodyReader(Undone undone, std::uint32_t stream, Coding coding, Budget budget)
    : undone_(undone | undone_by(coding)),
      stream_(stream),
      coding_(coding),
      budget_(std::move(budget)),
      why_(coding == Coding::other ? Withheld::coding : Withheld::nothing) {}

Piece BodyReader::piece(std::uint64_t length) const {
  Piece piece;
  piece.undone = undone_;
  piece.stream = stream_;
  piece.length = length;
  return piece;
}

void BodyReader::take(std::string_view bytes, std::uint64_t framing, Pieces& out) {
  Piece next = piece(bytes.size() + framing);
  if (why_ == Withheld::nothing && coding_ == Coding::none)
    text_.take(bytes, next);
  else if (why_ == Withheld::nothing)
    decode(bytes, next, out);
  if (text_.is_binary()) withhold(Withheld::binary);
  if (why_ != Withheld::nothing) text_.flush(next);
  next.why = why_;
  out.add(std::move(next));
}

void BodyReader::decode(std::string_view bytes, Piece& piece, Pieces& out) {
  if (!decoder_) decoder_ = ContentDecoder::make(coding_, budget_);
  if (!decoder_) return withhold(Withheld::bound);
  const auto outcome = decoder_->take(bytes, [&](std::string_view text) {
    text_.take(text, piece);
    out.spill(piece);
  });
  if (outcome == ContentDecoder::Outcome::broken) withhold(Withheld::broken);
  if (outcome == ContentDecoder::Outcome::bound) withhold(Withheld::bound);
}

void BodyReader::withhold(Withheld why) {
  if (why_ == Withheld::nothing) why_ = why;
  decoder_.reset();
}

void BodyReader::miss(Pieces& out) {
  if (why_ != Withheld::nothing) return;
  Piece rest = piece(0);
  text_.miss(rest);
  out.add(std::move(rest));
  if (coding_ != Coding::none) withhold(Withheld::broken);
}

void BodyReader::flush(Pieces& out) {
  if (why_ != Withheld::nothing) return;
  Piece rest = piece(0);
  text_.flush(rest);
  out.add(std::move(rest));
}

}  // namespace aa
