// event/http2_reader.h: the frames of HTTP/2 (RFC 9113).
//
// Comes in: one direction's bytes, from the first on. Goes out: header blocks as lines, data as what it holds; both in
// pieces that name their stream. All other frames are counted only. What cannot be followed is withheld to the
// connection's end: without one header block none behind it can be read.
#pragma once

#include <array>
#include <map>
#include <utility>

#include "event/body_reader.h"
#include "event/http2_headers.h"
#include "event/protocol_reader.h"

namespace aa {

class Http2Reader final : public ProtocolReader {
 public:
  static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // a client's first bytes
  static constexpr std::size_t kFrameHead = 9;
  // Streams that are followed at a time.
  static constexpr std::size_t kMostStreams = 256;

  // `is_client`: the preface comes first.
  Http2Reader(bool is_client, Budget budget)
      : budget_(std::move(budget)), preface_(is_client ? kPreface.size() : 0), headers_(budget_) {}

  // So begins what a server says: with settings of its own.
  static bool is_server_start(std::string_view frame_head);

  std::size_t take(std::string_view bytes, Pieces& out) override;
  void miss(std::uint64_t bytes, Pieces& out) override;
  void flush(Pieces& out) override;
  bool holds() const override;

 private:
  struct Stream {
    BudgetShare share;
    BodyReader body;
  };
  struct Frame {
    std::uint64_t left = 0;  // of its payload
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    std::uint64_t skip = 0;     // of what comes next: neither fragment nor data
    std::uint64_t padding = 0;  // at its end
    bool is_padded = false;     // how much it is, is not known yet
  };
  std::size_t in_preface(std::string_view bytes);
  std::size_t in_head(std::string_view bytes, Pieces& out);
  std::size_t in_payload(std::string_view bytes, Pieces& out);
  bool begin_frame();
  bool begin_headers();
  void take_payload(std::string_view bytes, Pieces& out);
  void take_fragment(std::string_view bytes, Pieces& out);
  void take_data(std::string_view bytes, Pieces& out);
  void end_block(Pieces& out);
  void end_frame(Pieces& out);
  void begin_stream(std::uint32_t stream, Coding coding, Pieces& out);
  void end_stream(std::uint32_t stream, Pieces& out);
  // Bytes that hold no text: they are told with the next text, or when there is none.
  void count(std::uint64_t bytes) { uncounted_ += bytes; }
  void lose(Pieces& out);

  Budget budget_;
  std::size_t preface_;  // bytes of it that are still to come
  std::array<unsigned char, kFrameHead> head_ = {};
  std::size_t head_taken_ = 0;
  bool in_frame_ = false;
  Frame frame_;
  Http2Headers headers_;
  std::uint32_t block_stream_ = 0;  // whose header block is not whole yet, 0 none
  bool block_ends_stream_ = false;
  bool block_is_promise_ = false;
  std::map<std::uint32_t, Stream> streams_;
  std::uint64_t uncounted_ = 0;
  bool is_lost_ = false;
};

}  // namespace aa
