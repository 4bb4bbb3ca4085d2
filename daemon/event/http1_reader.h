// event/http1_reader.h: HTTP/1, and whatever else is text.
//
// Comes in: one direction's bytes. Goes out: heads, and bodies that are neither coded nor chunked, as they are; other
// bodies undone. What is not HTTP is looked through as it is. After a WebSocket began, its bytes are left to another
// reader.
#pragma once

#include <optional>
#include <utility>

#include "event/body_reader.h"
#include "event/http1_head.h"
#include "event/protocol_reader.h"

namespace aa {

class Http1Reader final : public ProtocolReader {
 public:
  // `offset`: of the first byte that will come, in the stream.
  Http1Reader(std::uint64_t offset, Budget budget)
      : raw_(SecretText::stream, offset), offset_(offset), budget_(std::move(budget)) {}

  std::size_t take(std::string_view bytes, Pieces& out) override;
  void miss(std::uint64_t bytes, Pieces& out) override;
  void flush(Pieces& out) override;
  bool holds() const override { return raw_.held() > 0 || (body_ && body_->holds()); }
  // The rest is a WebSocket's.
  bool is_done() const override { return state_ == State::websocket; }

 private:
  enum class State : std::uint8_t {
    head,
    body,
    chunk_size,
    chunk,
    chunk_end,  // its line end
    trailer,
    text,  // no HTTP
    lost,  // HTTP once, but nobody knows where we are
    websocket,
  };
  std::size_t step(std::string_view bytes, Pieces& out);
  std::size_t in_head(std::string_view bytes, Pieces& out);
  std::size_t in_body(std::string_view bytes, Pieces& out);
  std::size_t in_chunk_size(std::string_view bytes, Pieces& out);
  std::size_t in_chunk(std::string_view bytes, Pieces& out);
  std::size_t in_chunk_end(std::string_view bytes, Pieces& out);
  std::size_t in_trailer(std::string_view bytes, Pieces& out);
  std::size_t lose(std::string_view bytes, Pieces& out);
  std::size_t passed(std::size_t bytes) {
    offset_ += bytes;
    return bytes;
  }
  void show(std::string_view bytes, Pieces& out) { out.add(raw_.take(bytes)); }
  void start_body(Pieces& out);
  void start_message(Pieces& out);
  void start_raw(SecretText text, Pieces& out);
  bool is_at_answer(std::string_view bytes) const;

  State state_ = State::head;
  SecretScanner raw_;
  std::uint64_t offset_;
  Budget budget_;
  Http1Head head_;
  bool asked_for_websocket_ = false;
  std::optional<std::uint64_t> left_;  // of the body or the chunk; nullopt: up to the end
  bool at_body_start_ = false;
  std::optional<BodyReader> body_;  // of what is undone
  std::string line_;                // of a chunk's size, of a trailer
};

}  // namespace aa
