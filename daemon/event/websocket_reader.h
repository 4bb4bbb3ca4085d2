// event/websocket_reader.h: the frames of a WebSocket (RFC 6455), and its messages' compression (RFC 7692).
//
// Comes in: one direction's bytes behind the handshake. Goes out: messages, unmasked and decompressed, each in pieces
// of its own. Frames that hold no message (ping, close) are counted only.
#pragma once

#include <array>
#include <memory>
#include <utility>

#include "event/content_decoder.h"
#include "event/protocol_reader.h"
#include "event/text_reader.h"

namespace aa {

class WebSocketReader final : public ProtocolReader {
 public:
  explicit WebSocketReader(Budget budget) : budget_(std::move(budget)) {}

  std::size_t take(std::string_view bytes, Pieces& out) override;
  void miss(std::uint64_t bytes, Pieces& out) override;
  void flush(Pieces& out) override;
  bool holds() const override { return text_.held() > 0; }

 private:
  std::size_t in_head(std::string_view bytes, Pieces& out);
  std::size_t in_payload(std::string_view bytes, Pieces& out);
  std::size_t head_size() const;
  bool read_head();
  void start_message();
  void add_payload(std::string_view bytes, Pieces& out);
  void end_frame(Piece& piece, Pieces& out);
  void decode(std::string_view bytes, Piece& piece, Pieces& out);
  void lose(Pieces& out);
  Piece piece(std::uint64_t length) const;

  Budget budget_;
  std::array<unsigned char, 14> head_ = {};
  std::size_t head_taken_ = 0;
  std::uint64_t left_ = 0;      // of the frame's payload
  std::uint64_t unmasked_ = 0;  // bytes of it
  std::array<unsigned char, 4> mask_ = {};
  std::uint64_t uncounted_ = 0;  // bytes of frames' heads that no piece has yet
  bool in_frame_ = false;
  bool is_control_ = false;
  bool is_last_ = false;
  bool begins_ = false;  // a message begins with this frame
  // Of the message.
  bool is_packed_ = false;
  TextReader text_;
  Withheld message_why_ = Withheld::nothing;
  // A message's compression goes on where the one before ended.
  std::unique_ptr<ContentDecoder> decoder_;
  Withheld packed_why_ = Withheld::nothing;
  bool is_lost_ = false;
};

}  // namespace aa
