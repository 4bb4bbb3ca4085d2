// tests/support/wire.h: what programs put on a connection, made here: gzip, chunks, WebSocket and HTTP/2 frames.
//
// Header only. Goes out: bytes as a peer would send them; and what a StreamReader makes of bytes.
#pragma once

#include <brotli/encode.h>
#include <nghttp2/nghttp2.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/stream_reader.h"
#include "support/catch.h"

namespace aa::test {

// ---- zlib ----

class Packer {
 public:
  // `window`: 31 gzip, 15 with zlib's head, -15 bare.
  explicit Packer(int window) { deflateInit2(&zlib_, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY); }
  ~Packer() { deflateEnd(&zlib_); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  std::string pack(std::string_view text, int flush = Z_FINISH) {
    std::string out(deflateBound(&zlib_, text.size()) + 64, '\0');
    zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    zlib_.avail_in = static_cast<uInt>(text.size());
    zlib_.next_out = reinterpret_cast<Bytef*>(out.data());
    zlib_.avail_out = static_cast<uInt>(out.size());
    deflate(&zlib_, flush);
    out.resize(out.size() - zlib_.avail_out);
    return out;
  }

 private:
  z_stream zlib_ = {};
};

// In br; `window`: its logarithm.
inline std::string brotli(std::string_view text, int window = 22, int quality = 5) {
  std::size_t size = BrotliEncoderMaxCompressedSize(text.size()) + 64;
  std::string out(size, '\0');
  BrotliEncoderCompress(quality, window, BROTLI_MODE_TEXT, text.size(),
                        reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                        reinterpret_cast<std::uint8_t*>(out.data()));
  out.resize(size);
  return out;
}

// In zstd; `window`: its logarithm, 0 as it comes.
inline std::string zstd(std::string_view text, int window = 0) {
  const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> packer(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  if (window != 0) ZSTD_CCtx_setParameter(packer.get(), ZSTD_c_windowLog, window);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  (void)ZSTD_compressStream2(packer.get(), &to, &in, ZSTD_e_flush);  // its size is not told, so its window is
  (void)ZSTD_compressStream2(packer.get(), &to, &in, ZSTD_e_end);
  out.resize(to.pos);
  return out;
}

inline std::string gzip(std::string_view text) {
  return Packer(31).pack(text);
}

// ---- HTTP/1 ----

// In chunks of at most so many bytes.
inline std::string chunked(std::string_view body, std::size_t most) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t at = 0; at < body.size(); at += most) {
    const std::string_view part = body.substr(at, most);
    std::string size;
    for (std::size_t left = part.size(); left > 0; left /= 16) size.insert(0, 1, kDigits[left % 16]);
    out += size + ";x=y\r\n" + std::string(part) + "\r\n";
  }
  return out + "0\r\nTrailer: t\r\n\r\n";
}

inline std::string answer(const std::string& fields, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// ---- WebSocket ----

inline constexpr std::string_view kWebSocketRequest =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
inline constexpr std::string_view kWebSocketAnswer =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

// `first`: FIN, RSV1 and opcode; `mask`: 4 bytes, or none.
inline std::string frame(unsigned first, std::string_view payload, std::string_view mask = {}) {
  std::string out(1, static_cast<char>(first));
  const unsigned masked = mask.empty() ? 0 : 0x80;
  const std::size_t bytes = payload.size() < 126 ? 0 : payload.size() < 65'536 ? 2 : 8;
  const std::size_t length = bytes == 0 ? payload.size() : bytes == 2 ? 126 : 127;
  out.push_back(static_cast<char>(masked | length));
  for (std::size_t byte = bytes; byte > 0; --byte)
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(payload.size()) >> (8 * (byte - 1))));
  out += mask;
  for (std::size_t at = 0; at < payload.size(); ++at)
    out.push_back(static_cast<char>(payload[at] ^ (mask.empty() ? 0 : mask[at % 4])));
  return out;
}

// A text message packed as permessage-deflate has it.
inline std::string packed_frame(Packer& packer, std::string_view text, std::string_view mask = {}) {
  std::string packed = packer.pack(text, Z_SYNC_FLUSH);
  packed.resize(packed.size() - 4);
  return frame(0xC1, packed, mask);
}

// ---- HTTP/2 ----

inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string http2_frame(unsigned type, unsigned flags, std::uint32_t stream, std::string_view payload) {
  std::string out;
  for (const unsigned shift : {16u, 8u, 0u}) out.push_back(static_cast<char>(payload.size() >> shift));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (const unsigned shift : {24u, 16u, 8u, 0u}) out.push_back(static_cast<char>(stream >> shift));
  return out.append(payload);
}

inline std::string http2_settings() {
  return http2_frame(4, 0, 0, std::string_view("\0\3\0\0\0\x64", 6));
}

class HeaderPacker {
 public:
  explicit HeaderPacker(std::size_t table = 4096) {
    nghttp2_hd_deflate_new(&deflater_, 64 * 1024);
    nghttp2_hd_deflate_change_table_size(deflater_, table);
  }
  ~HeaderPacker() { nghttp2_hd_deflate_del(deflater_); }
  HeaderPacker(const HeaderPacker&) = delete;
  HeaderPacker& operator=(const HeaderPacker&) = delete;

  // A header block.
  std::string pack(const Fields& fields) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) list.push_back({bytes(name), bytes(value), name.size(), value.size(), 0});
    std::string out(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()), '\0');
    const auto size = nghttp2_hd_deflate_hd(deflater_, bytes(out), out.size(), list.data(), list.size());
    out.resize(static_cast<std::size_t>(std::max<decltype(size)>(size, 0)));
    return out;
  }

 private:
  static std::uint8_t* bytes(const std::string& text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }
  nghttp2_hd_deflater* deflater_ = nullptr;
};

// ---- what is read out of it ----

struct Read {
  std::vector<Piece> pieces = {};
  std::uint64_t length = 0;

  std::string text() const {
    std::string all;
    for (const Piece& piece : pieces) all += piece.text;
    return all;
  }
  // Of pieces that were got at like this.
  std::string text(Undone undone, std::uint32_t stream = 0) const {
    std::string all;
    for (const Piece& piece : pieces)
      if (piece.undone == undone && piece.stream == stream) all += piece.text;
    return all;
  }
  bool has(Withheld why) const {
    return std::any_of(pieces.begin(), pieces.end(), [why](const Piece& piece) { return piece.why == why; });
  }
  std::vector<std::string> kinds() const {
    std::vector<std::string> all;
    for (const Piece& piece : pieces)
      for (const Redaction& one : piece.redactions)
        if (all.empty() || all.back() != one.kind) all.emplace_back(one.kind);
    return all;
  }
  void add(std::vector<Piece> more) {
    for (Piece& piece : more) {
      length += piece.length;
      pieces.push_back(std::move(piece));
    }
  }
};

// One direction of a connection, that comes in calls.
inline Read read_calls(const std::vector<std::string>& calls) {
  StreamReader reader(0, true, std::make_shared<ReaderBudget>());
  Read read;
  Pieces pieces;
  for (const std::string& call : calls) {
    reader.take(call, pieces);
    read.add(pieces.take());
  }
  reader.flush(pieces);
  read.add(pieces.take());
  return read;
}

// The same in calls of so many bytes.
inline Read read_by(std::string_view bytes, std::size_t size) {
  std::vector<std::string> calls;
  for (std::size_t at = 0; at < bytes.size(); at += size) calls.emplace_back(bytes.substr(at, size));
  return read_calls(calls);
}

inline Read read_all(std::string_view bytes) {
  return read_calls({std::string(bytes)});
}

// The same text comes out however calls cut the bytes, and every byte is counted.
inline void check_cuts(const std::string& bytes, const std::string& shown) {
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const Read read = read_calls({bytes.substr(0, cut), bytes.substr(cut)});
    INFO(cut);
    REQUIRE(read.text() == shown);
    REQUIRE(read.length == bytes.size());
  }
  const Read read = read_by(bytes, 1);
  CHECK(read.text() == shown);
  CHECK(read.length == bytes.size());
}

}  // namespace aa::test
