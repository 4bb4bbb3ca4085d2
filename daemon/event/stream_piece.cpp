#include "event/stream_piece.h"

namespace aa {
namespace {

constexpr std::size_t kMostText = 64 * 1024;
// Of one call: messages may be two bytes each, and each piece becomes an event.
constexpr std::size_t kMostPieces = 1024;

}  // namespace

bool Pieces::joins(const Piece& piece) const {
  if (all_.empty() || all_.size() > kMostPieces || (is_cut_ && all_.size() < kMostPieces)) return false;
  const Piece& last = all_.back();
  return last.undone == piece.undone && last.stream == piece.stream && last.why == piece.why &&
         last.text.size() + piece.text.size() <= kMostText;
}

void Pieces::add(Piece piece) {
  if (piece.is_empty()) return;
  if (!joins(piece)) {
    is_cut_ = false;
    if (all_.size() >= kMostPieces) return withhold(piece);
    all_.push_back(std::move(piece));
    return;
  }
  Piece& last = all_.back();
  const std::uint64_t behind = piece.undone == 0 ? 0 : last.text.size();
  for (Redaction& one : piece.redactions) last.redactions.push_back({one.kind, one.offset + behind, one.length});
  last.length += piece.length;
  last.text += piece.text;
}

// Beyond all pieces there may be, one for whatever comes: it is counted, and said to be withheld.
void Pieces::withhold(const Piece& piece) {
  if (all_.size() == kMostPieces) all_.push_back({.undone = piece.undone, .why = Withheld::bound});
  all_.back().length += piece.length;
}

void Pieces::spill(Piece& piece) {
  if (piece.text.size() < kMostText / 2) return;
  Piece rest;
  rest.undone = piece.undone;
  rest.stream = piece.stream;
  add(std::exchange(piece, std::move(rest)));
}

void Pieces::add(SecretScanner::Shown shown) {
  Piece piece;
  piece.length = shown.bytes.size();
  piece.text = std::move(shown.bytes);
  piece.redactions = std::move(shown.redactions);
  add(std::move(piece));
}

}  // namespace aa
