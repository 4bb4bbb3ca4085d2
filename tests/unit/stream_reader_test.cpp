// What is read out of a connection: HTTP/1 and its bodies' codings, WebSocket; whole, cut anywhere, and broken.
#include "support/catch.h"
#include "support/rounds.h"
#include "support/wire.h"

using namespace aa;
using namespace aa::test;

namespace {

const std::string kToken = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
const std::string kShownToken = "ghp_************************************";
const std::string kTold = "{\"key\":\"" + kToken + "\",\"note\":\"hello\"}";
const std::string kShownTold = "{\"key\":\"" + kShownToken + "\",\"note\":\"hello\"}";
constexpr std::string_view kFrameMask("\x12\x9A\x00\xFE", 4);
const std::string kBinaryBytes = std::string("\x89PNG\0\0", 6) + kToken;

std::string redacted(std::string text) {
  for (std::size_t at = text.find(kToken); at != std::string::npos; at = text.find(kToken, at + 1))
    text.replace(at, kToken.size(), kShownToken);
  return text;
}

// So many that do not pack, that the whole stays within bounds.
std::string letters() {
  std::string out;
  std::uint32_t seed = 1;
  while (out.size() < 30'000)
    out.push_back(static_cast<char>('a' + ((seed = seed * 1'664'525 + 1'013'904'223) >> 24) % 26));
  return out;
}

}  // namespace

// ---- HTTP/1 ----

TEST_CASE("http1: heads and plain bodies are shown as they are, byte for byte") {
  const std::string bytes =
      answer("A: b\r\n", kTold) + "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc" + answer("", "");
  check_cuts(bytes, redacted(bytes));
  for (const Piece& piece : read_all(bytes).pieces) {
    CHECK(piece.undone == 0);
    CHECK(piece.text.size() == piece.length);
  }
}

TEST_CASE("http1: a body in chunks is shown without them, and a secret that they cut is found") {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  check_cuts(head + chunked(kTold, 11) + answer("", "x"), head + kShownTold + answer("", "x"));
  CHECK(read_all(head + chunked(kTold, 11)).text(kChunked) == kShownTold);
}

TEST_CASE("http1: bodies in gzip, deflate, br and zstd are shown as the text they hold, in chunks too") {
  const std::string zlib = Packer(15).pack(kTold), bare = Packer(-15).pack(kTold);
  const auto with = [](const std::string& coding, const std::string& body) {
    return answer("Content-Encoding: " + coding + "\r\n", body);
  };
  for (const auto& [coding, body] : {std::pair{"gzip", gzip(kTold)},
                                     {"X-Gzip", gzip("{") + gzip(kTold.substr(1))},
                                     {"deflate", zlib},
                                     {"deflate", bare},
                                     {"br", brotli(kTold)},
                                     {"zstd", zstd(kTold)},
                                     {"zstd", zstd("{") + zstd(kTold.substr(1))}}) {
    const std::string bytes = with(coding, body), end = answer("", "end");
    check_cuts(bytes + end, bytes.substr(0, bytes.size() - body.size()) + kShownTold + end);
  }
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
  check_cuts(head + chunked(gzip(kTold), 9), head + kShownTold);
  CHECK(read_all(head + chunked(gzip(kTold), 9)).text(kChunked | kGzip) == kShownTold);
}

TEST_CASE("http1: redactions of decoded text say where in that text") {
  const Read read = read_all(answer("Content-Encoding: gzip\r\n", gzip(kTold + kTold)));
  const Piece& body = read.pieces.at(1);
  REQUIRE(body.redactions.size() == 2);
  CHECK(body.redactions[0] == Redaction{"github", 12, 36});
  CHECK(body.redactions[1] == Redaction{"github", kTold.size() + 12, 36});
}

TEST_CASE(
    "http1: a coding that nobody undoes, a broken one and too much of one are withheld, the next message is not") {
  const std::string end = answer("", "end");
  const auto check = [&](const std::string& coding, const std::string& body, Withheld why) {
    const Read read = read_by(answer("Content-Encoding: " + coding + "\r\n", body) + end, 5'000);
    CHECK(read.has(why));
    CHECK(read.text().find("aaaaaaaaaaaaaaa") == std::string::npos);
    CHECK(read.text().find(end) != std::string::npos);
  };
  const std::string plain(40, 'a');
  check("compress", plain, Withheld::coding);
  check("zstd", plain, Withheld::broken);
  check("br", gzip(plain), Withheld::broken);
  CHECK(read_all(answer("Content-Encoding: br\r\n", brotli("a") + "behind")).has(Withheld::broken));
  check("gzip, br", gzip(plain), Withheld::coding);
  check("gzip", plain, Withheld::broken);
  check("gzip", "\x1F\x8B\x08" + plain, Withheld::broken);
  check("gzip", gzip(std::string("\0", 1) + plain), Withheld::binary);
  const Read bomb = read_by(answer("Content-Encoding: gzip\r\n", gzip(std::string(8 << 20, ' '))), 1'000);
  CHECK(bomb.has(Withheld::bound));
  CHECK(bomb.text().size() < 300'000);
}

TEST_CASE("http1: a window in br larger than there is memory for is withheld from where it is needed") {
  if (test::sparse() > 1) return;  // not where processors are emulated: 12 MiB are packed twice
  std::string text;
  for (std::uint64_t line = 0; text.size() < (12 << 20); ++line) text += "line " + std::to_string(line * 7'919) + "\n";
  const Read small = read_by(answer("Content-Encoding: br\r\n", brotli(text, 22, 1)), 16'384);
  CHECK(small.text(kBrotli) == text);
  const Read large = read_by(answer("Content-Encoding: br\r\n", brotli(text, 24, 1)), 16'384);
  CHECK(large.has(Withheld::bound));
  CHECK(large.text(kBrotli).size() > 1 << 19);
}

TEST_CASE("http1: a window in zstd larger than everybody must have room for is withheld") {
  std::string text;
  for (std::uint64_t line = 0; text.size() < (1 << 20); ++line) text += "line " + std::to_string(line * 7'919) + "\n";
  CHECK(read_by(answer("Content-Encoding: zstd\r\n", zstd(text, 23)), 16'384).text(kZstd) == text);
  CHECK(read_by(answer("Content-Encoding: zstd\r\n", zstd(text, 24)), 16'384).has(Withheld::bound));
}

TEST_CASE("http1: more decoders than there may be at a time are withheld") {
  const auto budget = std::make_shared<ReaderBudget>();
  budget->decoders = 0;
  StreamReader reader(0, true, budget);
  Pieces pieces;
  reader.take(answer("Content-Encoding: gzip\r\n", gzip(kTold)), pieces);
  Read read;
  read.add(pieces.take());
  CHECK(read.has(Withheld::bound));
  CHECK(budget->decoders == 0);
}

TEST_CASE("http1: an answer without a body does not swallow the next one") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\nContent-Encoding: gzip\r\n\r\n";  // to a HEAD
  const std::string empty = "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n";
  const std::string bytes = head + empty + "HTTP/1.1 204 No Content\r\n\r\n" + answer("", kTold);
  CHECK(read_all(bytes).text() == redacted(bytes));
}

TEST_CASE("http1: much text out of few bytes is told in pieces of 64 KiB at most") {
  const std::string text = std::string(400'000, 'a') + "end";
  Packer packer(-15);
  for (const std::string& bytes : {answer("Content-Encoding: gzip\r\n", gzip(text + letters())),
                                   std::string(kWebSocketAnswer) + packed_frame(packer, text + letters())}) {
    const Read read = read_all(bytes);
    CHECK(read.length == bytes.size());
    CHECK(read.text().find(text) != std::string::npos);
    for (const Piece& piece : read.pieces) CHECK(piece.text.size() <= 64 * 1024);
  }
}

TEST_CASE("http1: a body up to the connection's end is decoded up to there") {
  const std::string head = "HTTP/1.0 200 OK\r\ncontent-encoding: gzip\r\n\r\n";
  check_cuts(head + gzip(kTold), head + kShownTold);
}

TEST_CASE("http1: chunks that are none are withheld up to a call that begins with a message") {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const Read read = read_calls({head + "zz\r\n" + kTold, kTold, answer("", kTold)});
  CHECK(read.text() == head + redacted(answer("", kTold)));
  CHECK(read.has(Withheld::broken));
}

TEST_CASE("http1: after missing bytes a plain body goes on, a coded one does not, and the next message is found") {
  const auto missing = [](const std::string& head, const std::string& before, std::uint64_t bytes,
                          const std::string& after) {
    StreamReader reader(0, true, std::make_shared<ReaderBudget>());
    Pieces pieces;
    reader.take(head + before, pieces);
    reader.miss(bytes, pieces);
    reader.take(after, pieces);
    reader.take(answer("", "end"), pieces);
    Read read;
    read.add(pieces.take());
    return read.text().substr(head.size());
  };
  const std::string plain = "POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\n";
  CHECK(missing(plain, "0123456789", 10, "ab\nd567890") == "0123456789**********" + answer("", "end"));
  CHECK(missing(plain, "0123456789", 500, "ab\ncd") == "0123456789*****" + answer("", "end"));
  const std::string packed = gzip(kTold);
  const std::string coded =
      "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: " + std::to_string(packed.size()) + "\r\n\r\n";
  CHECK(missing(coded, packed.substr(0, 20), 5, packed.substr(25)).ends_with(answer("", "end")));
  CHECK(missing(coded, packed.substr(0, 20), 5, packed.substr(25)).find("hello") == std::string::npos);
  const std::string chunks = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(missing(chunks, "a\r\n012", 3, "678\n\r\n0\r\n\r\n") == "012****" + answer("", "end"));
  CHECK(missing(chunks, "a\r\n012", 30, kTold) == "012" + answer("", "end"));
}

TEST_CASE("http1: text that is no HTTP is looked through as it is") {
  const std::string bytes = "220 mail\r\nAUTH " + kToken + "\r\n";
  check_cuts(bytes, redacted(bytes));
}

TEST_CASE("http1: a first line longer than what is kept is one") {
  const std::string bytes = "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\nContent-Encoding: compress\r\n" +
                            "Content-Length: 40\r\n\r\n" + std::string(40, 'b');
  const Read read = read_by(bytes, 3'000);
  CHECK(read.has(Withheld::coding));
  CHECK(read.text().find("bbb") == std::string::npos);
}

// ---- WebSocket ----

TEST_CASE("websocket: messages are unmasked and shown, in frames of every size, whole and in fragments") {
  const std::string request(kWebSocketRequest), long_text(70'000, 'x');
  const std::string frames = frame(0x81, kTold, kFrameMask) + frame(0x89, "ping", kFrameMask) +
                             frame(0x01, kTold.substr(0, 20), kFrameMask) + frame(0x8A, "", kFrameMask) +
                             frame(0x80, kTold.substr(20), kFrameMask) +
                             frame(0x81, std::string(300, 'y'), kFrameMask) + frame(0x88, "\x03\xE8", kFrameMask);
  const std::string shown = request + kShownTold + kShownTold + std::string(300, 'y');
  check_cuts(request + frames, shown);
  const Read read = read_all(request + frames + frame(0x81, long_text, kFrameMask));
  CHECK(read.text(kWebSocket) == (shown + long_text).substr(request.size()));
}

TEST_CASE("websocket: what the server says is shown too, and begins behind its answer") {
  const std::string head(kWebSocketAnswer);
  check_cuts(head + frame(0x81, kTold) + frame(0x82, kTold), head + kShownTold + kShownTold);
}

TEST_CASE("websocket: compressed messages are shown, each with what those before it left behind") {
  Packer packer(-15);
  std::string bytes(kWebSocketRequest), shown = bytes;
  for (int message = 0; message < 3; ++message) {
    bytes += packed_frame(packer, kTold, kFrameMask);
    shown += kShownTold;
  }
  check_cuts(bytes, shown);
  CHECK(read_all(bytes).text(kWebSocket | kDeflate) == shown.substr(kWebSocketRequest.size()));
}

TEST_CASE("websocket: each message is a piece, and what is no text is withheld with its message") {
  Packer packer(-15);
  const std::string head(kWebSocketAnswer);
  std::string bytes = head + frame(0x82, kBinaryBytes) + frame(0x81, "a") + packed_frame(packer, kBinaryBytes);
  bytes += packed_frame(packer, "b");
  bytes += frame(0x81, "c");
  const Read read = read_all(bytes);
  CHECK(read.text() == head + "abc");
  REQUIRE(read.pieces.size() == 6);
  CHECK(read.pieces[1].why == Withheld::binary);
  CHECK(read.pieces[3].why == Withheld::binary);
}

TEST_CASE("websocket: of one call's messages those beyond a thousand are told together") {
  std::string frames;
  for (int message = 0; message < 5'000; ++message) frames += frame(0x81, message % 2 == 0 ? "" : "a");
  const Read read = read_calls({std::string(kWebSocketRequest) + frames, frame(0x81, "b"), frame(0x81, "c")});
  CHECK(read.pieces.size() < 1'100);
  CHECK(read.text(kWebSocket) == std::string(2'500, 'a') + "bc");
  CHECK(read.pieces.back().text == "c");
  CHECK(read.length == kWebSocketRequest.size() + frames.size() + 6);
}

TEST_CASE("websocket: a refused one leaves HTTP as it is") {
  const std::string bytes = std::string(kWebSocketRequest) + "GET /b HTTP/1.1\r\n\r\n";
  check_cuts(bytes, bytes);
}

TEST_CASE("websocket: frames that are none, and bytes missing between frames, withhold all that follows") {
  for (const std::string& bad :
       {frame(0xB1, "a"), frame(0x83, "a"), frame(0x09, "a"), frame(0x89, std::string(126, 'a')),
        std::string("\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")}) {
    const std::string bytes = std::string(kWebSocketAnswer) + frame(0x81, "good") + bad + frame(0x81, kTold);
    const Read read = read_all(bytes);
    CHECK(read.text() == std::string(kWebSocketAnswer) + "good");
    CHECK(read.has(Withheld::broken));
    CHECK(read.length == bytes.size());
  }
  StreamReader reader(0, true, std::make_shared<ReaderBudget>());
  Pieces pieces;
  reader.take(std::string(kWebSocketAnswer), pieces);
  reader.miss(8, pieces);
  reader.take(frame(0x81, kTold), pieces);
  Read read;
  read.add(pieces.take());
  CHECK(read.text() == kWebSocketAnswer);
}

TEST_CASE("websocket: bytes missing within a message leave the rest readable, if it is not compressed") {
  const auto without = [](const std::string& bytes, std::size_t from, std::size_t count) {
    StreamReader reader(0, true, std::make_shared<ReaderBudget>());
    Pieces pieces;
    const std::size_t at = kWebSocketRequest.size() + from;
    reader.take(bytes.substr(0, at), pieces);
    reader.miss(count, pieces);
    reader.take(bytes.substr(at + count), pieces);
    Read read;
    read.add(pieces.take());
    return read.text().substr(kWebSocketRequest.size());
  };
  const std::string head(kWebSocketRequest);
  CHECK(without(head + frame(0x81, "0123456789\nabc", kFrameMask) + frame(0x81, "next", kFrameMask), 9, 3) ==
        "012********next");
  Packer packer(-15);
  std::string packed = head + packed_frame(packer, kTold, kFrameMask);
  packed += packed_frame(packer, kTold, kFrameMask) + frame(0x81, "next", kFrameMask);
  CHECK(without(packed, 9, 3) == "{\"next");
}
