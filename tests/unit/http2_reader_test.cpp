// What is read out of HTTP/2: header blocks as lines, data with its coding, each stream apart; cut anywhere, and
// broken.
#include <chrono>

#include "support/catch.h"
#include "support/wire.h"

using namespace aa;
using namespace aa::test;

namespace {

constexpr unsigned kData = 0, kHeaders = 1, kReset = 3, kPromise = 5, kPing = 6, kContinuation = 9;
constexpr unsigned kEndStream = 1, kEndHeaders = 4, kPadded = 8, kPriority = 0x20;
constexpr Undone kLines = kHttp2 | kHpack;

const std::string kKey = "sk-ant-abcdefghijklmnopqrstuvwxyz";
const std::string kText = "{\"key\":\"" + kKey + "\"}";
const std::string kShownText = "{\"key\":\"sk-ant-**************************\"}";

const Fields kRequest = {{":method", "POST"}, {":path", "/v1"}, {"authorization", "Bearer " + kKey}, {"x-a", kKey}};
const std::string kShownRequest = ":method: POST\n:path: /v1\nauthorization: " + std::string(7 + kKey.size(), '*') +
                                  "\nx-a: sk-ant-**************************\n";

std::string client(const std::string& frames) {
  return std::string(kHttp2Preface) + http2_settings() + frames;
}

std::string block(HeaderPacker& packer, std::uint32_t stream, const Fields& fields, unsigned flags = 0) {
  return http2_frame(kHeaders, kEndHeaders | flags, stream, packer.pack(fields));
}

// A number of HPACK's, behind what the prefix of so many bits has beside it.
std::string number_of(unsigned beside, unsigned bits, std::size_t value) {
  const std::size_t most = (1u << bits) - 1;
  std::string out(1, static_cast<char>(beside | most));
  for (value -= most; value >= 128; value /= 128) out.push_back(static_cast<char>(value % 128 | 128));
  return out + static_cast<char>(value);
}

// A block with an entry nearly as large as a table may be, which each further byte of a block can name again.
std::string fills_table(const std::string& name) {
  const std::string field = '\x40' + std::string(1, static_cast<char>(name.size())) + name;
  const std::string block = number_of(0x20, 5, 64 * 1024) + field + number_of(0, 7, 60'000) + std::string(60'000, ',');
  return http2_frame(kHeaders, kEndHeaders, 1, block);
}
constexpr char kNewestEntry = '\xBE';

}  // namespace

TEST_CASE("http2: what a client says is its header lines and its data, without secrets, wherever calls cut it") {
  HeaderPacker packer;
  const std::string bytes =
      client(block(packer, 1, kRequest) + http2_frame(kPing, 0, 0, "12345678") +
             http2_frame(kData, 0, 1, kText.substr(0, 15)) + http2_frame(kData, kEndStream, 1, kText.substr(15)));
  check_cuts(bytes, kShownRequest + kShownText);
  const Read read = read_all(bytes);
  CHECK(read.text(kLines, 1) == kShownRequest);
  CHECK(read.text(kHttp2, 1) == kShownText);
  CHECK(read.kinds() == std::vector<std::string>{"authorization", "anthropic"});
}

TEST_CASE("http2: what a server says too, and it begins with settings") {
  HeaderPacker packer;
  const std::string bytes = http2_settings() + block(packer, 1, {{":status", "200"}, {"set-cookie", "a=b; c"}}) +
                            http2_frame(kData, kEndStream, 1, kText);
  check_cuts(bytes, ":status: 200\nset-cookie: ******\n" + kShownText);
}

TEST_CASE("http2: an answer that is not the last one says nothing of how its body is coded") {
  HeaderPacker packer;
  const std::string bytes = http2_settings() + block(packer, 1, {{":status", "103"}, {"link", "a"}}) +
                            block(packer, 1, {{":status", "200"}, {"content-encoding", "gzip"}}) +
                            http2_frame(kData, kEndStream, 1, gzip(kText));
  check_cuts(bytes, ":status: 103\nlink: a\n:status: 200\ncontent-encoding: gzip\n" + kShownText);
}

TEST_CASE("http2: a block needs those before it, in frames of every form") {
  HeaderPacker packer;
  const std::string first = packer.pack(kRequest), second = packer.pack(kRequest), third = packer.pack(kRequest);
  const std::string pad(7, '\0');
  std::string frames = http2_frame(kHeaders, 0, 1, first.substr(0, 5));
  frames += http2_frame(kContinuation, 0, 1, "") + http2_frame(kContinuation, kEndHeaders, 1, first.substr(5));
  frames += http2_frame(kHeaders, kEndHeaders | kPadded | kPriority, 3, "\x07" + std::string(5, '\0') + second + pad);
  frames += http2_frame(kPromise, kEndHeaders | kPadded, 3, "\x07" + std::string("\0\0\0\2", 4) + third + pad);
  frames += http2_frame(kData, kPadded, 3, "\x07" + kText + pad);
  check_cuts(client(frames), kShownRequest + kShownRequest + kShownRequest + kShownText);
  CHECK(third.size() < first.size());
}

TEST_CASE("http2: a sender may make its table as large as 64 KiB") {
  HeaderPacker packer(64 * 1024);
  std::string frames;
  Fields many;
  for (int field = 0; field < 200; ++field) many.emplace_back("x-" + std::to_string(field), std::string(100, 'v'));
  frames += block(packer, 1, many);
  const std::string again = block(packer, 3, many);
  CHECK(again.size() < 1'000);
  CHECK(read_all(client(frames + again)).text(kLines, 3).size() > 20'000);
}

TEST_CASE("http2: streams that lie in each other are told apart, each with its own coding") {
  HeaderPacker packer;
  const std::string packed = gzip(kText);
  std::string frames = block(packer, 1, {{"content-encoding", "gzip"}});
  frames += block(packer, 3, {{"a", "b"}}) + block(packer, 5, {{"content-encoding", "compress"}});
  frames += http2_frame(kData, 0, 1, packed.substr(0, 20)) + http2_frame(kData, 0, 3, kText.substr(0, 20));
  frames += http2_frame(kData, kEndStream, 5, "hidden") + http2_frame(kData, kEndStream, 3, kText.substr(20));
  frames += http2_frame(kData, kEndStream, 1, packed.substr(20));
  const Read read = read_all(client(frames));
  CHECK(read.text(kHttp2 | kGzip, 1) == kShownText);
  CHECK(read.text(kHttp2, 3) == kShownText);
  CHECK(read.text().find("hidden") == std::string::npos);
  CHECK(read.has(Withheld::coding));
}

TEST_CASE("http2: fields at a message's end are shown, and a stream that was reset is forgotten") {
  HeaderPacker packer;
  std::string frames = block(packer, 1, {{"a", "b"}}) + http2_frame(kData, 0, 1, "body");
  frames += block(packer, 1, {{"grpc-status", "0"}}, kEndStream) + block(packer, 3, {{"c", "d"}});
  frames += http2_frame(kReset, 0, 3, std::string(4, '\0')) + http2_frame(kData, 0, 3, "late");
  const Read read = read_all(client(frames));
  CHECK(read.text() == "a: b\nbodygrpc-status: 0\nc: d\n");
  CHECK(read.has(Withheld::broken));
}

TEST_CASE("http2: what a field holds cannot end its line") {
  HeaderPacker packer;
  const Read read = read_all(client(block(packer, 1, {{"authorization", "first\nsecond\r\nthird"}})));
  CHECK(read.text() == "authorization: " + std::string(19, '*') + "\n");
}

TEST_CASE("http2: a block that grows beyond bounds is cut, and the next one is not") {
  HeaderPacker packer;
  Fields many(2'000, {"x-long", std::string(1'000, 'v')});
  std::string frames;
  const std::string packed = packer.pack(many);
  for (std::size_t at = 0; at < packed.size(); at += 16'000)
    frames += http2_frame(at == 0 ? kHeaders : kContinuation, at + 16'000 >= packed.size() ? kEndHeaders : 0, 1,
                          packed.substr(at, 16'000));
  frames += block(packer, 3, {{"a", "b"}});
  const Read read = read_all(client(frames));
  CHECK(read.text().size() < 66'000);
  CHECK(read.has(Withheld::bound));
  CHECK(read.text(kLines, 3) == "a: b\n");
}

TEST_CASE(
    "http2: header blocks of one call give so much text, what is beyond is withheld, and the next call's is told") {
  std::string frames;
  for (std::uint32_t stream = 3; stream < 6'000; stream += 2)
    frames += http2_frame(kHeaders, kEndHeaders, stream, std::string(1, kNewestEntry));
  const std::string later = http2_frame(kHeaders, kEndHeaders, 6'001, std::string(1, kNewestEntry));
  const std::string first = client(fills_table("x-long"));
  const Read read = read_calls({first, frames, later});
  CHECK(read.text(kLines, 3).size() > 60'000);
  CHECK(read.text(kLines, 6'001).size() > 60'000);
  CHECK(read.text().size() < 450'000);
  CHECK(read.has(Withheld::bound));
  CHECK_FALSE(read.has(Withheld::broken));
  CHECK(read.length == first.size() + frames.size() + later.size());
}

TEST_CASE("http2: requests of an agent's long connection that name large cookies again are all told") {
  HeaderPacker packer(64 * 1024);
  const Fields fields = {{"x-session", std::string(4'000, 'c')}, {"a", "b"}};
  std::vector<std::string> calls = {client("")};
  for (std::uint32_t stream = 1; stream < 601; stream += 2) calls.push_back(block(packer, stream, fields, kEndStream));
  for (std::uint32_t stream = 601; stream < 681; stream += 2) calls.back() += block(packer, stream, fields, kEndStream);
  const Read read = read_calls(calls);
  CHECK(calls[100].size() < 20);
  CHECK(read.text().size() > 340 * 4'000);
  CHECK_FALSE(read.has(Withheld::bound));
}

TEST_CASE(
    "http2: a coding that is named again and again is looked into once a block, and no further than its beginning") {
  const std::string again = http2_frame(kHeaders, kEndHeaders, 3, std::string(16'000, kNewestEntry));
  const std::string bytes = client(fills_table("content-encoding") + again + http2_frame(kData, 0, 1, kText));
  const auto began = std::chrono::steady_clock::now();
  const Read read = read_all(bytes);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(2));
  CHECK(read.has(Withheld::coding));
  CHECK(read.text(kHttp2, 1).empty());
}

TEST_CASE("http2: of one call's blocks beyond a thousand those of other streams are counted, and withheld") {
  HeaderPacker packer;
  std::string frames;
  for (std::uint32_t stream = 1; stream < 5'000; stream += 2) frames += block(packer, stream, {{"a", "b"}});
  const std::string later = block(packer, 5'001, {{"c", "d"}});
  const Read read = read_calls({client(frames), later});
  CHECK(read.pieces.size() < 1'100);
  CHECK(read.has(Withheld::bound));
  CHECK(read.text(kLines, 999) == "a: b\n");
  CHECK(read.text(kLines, 5'001) == "c: d\n");
  CHECK(read.length == client(frames).size() + later.size());
}

TEST_CASE("http2: of more streams than are followed the oldest are withheld") {
  HeaderPacker packer;
  std::string frames;
  for (std::uint32_t stream = 1; stream <= 601; stream += 2) frames += block(packer, stream, {{"a", "b"}});
  const Read read = read_all(client(frames + http2_frame(kData, 0, 1, "old") + http2_frame(kData, 0, 601, "new")));
  CHECK(read.text(kHttp2, 1).empty());
  CHECK(read.text(kHttp2, 601) == "new");
}

TEST_CASE("http2: what all connections together may take is given back when they end") {
  const auto budget = std::make_shared<ReaderBudget>();
  {
    HeaderPacker packer;
    std::string frames = block(packer, 1, {{"content-encoding", "gzip"}}) + http2_frame(kData, 0, 1, gzip(kText));
    StreamReader reader(0, true, budget);
    Pieces pieces;
    reader.take(client(frames), pieces);
    CHECK(budget->decoders == ReaderBudget().decoders - 1);
    CHECK(budget->tables == ReaderBudget().tables - 1);
    CHECK(budget->streams == ReaderBudget().streams - 1);
  }
  CHECK(budget->decoders == ReaderBudget().decoders);
  CHECK(budget->tables == ReaderBudget().tables);
  CHECK(budget->streams == ReaderBudget().streams);
  budget->streams = 0;
  StreamReader reader(0, true, budget);
  Pieces pieces;
  HeaderPacker packer;
  reader.take(client(block(packer, 1, {{"a", "b"}}) + http2_frame(kData, 0, 1, kText)), pieces);
  Read read;
  read.add(pieces.take());
  CHECK(read.text() == "a: b\n");
  CHECK(read.pieces.back().why == Withheld::broken);
}

TEST_CASE("http2: what cannot be followed is withheld to the end") {
  const auto packed = [](const Fields& fields) { return HeaderPacker().pack(fields); };
  const std::string good = http2_frame(kHeaders, kEndHeaders, 1, packed({{"a", "b"}}));
  for (const std::string& bad : std::vector<std::string>{
           http2_frame(kHeaders, kEndHeaders, 3, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),  // no such index
           http2_frame(kHeaders, kEndHeaders, 3, packed(kRequest).substr(0, 12)),          // cut
           http2_frame(kHeaders, 0, 3, packed({{"a", "b"}})) + http2_frame(kData, 0, 1, "between"),
           http2_frame(kContinuation, kEndHeaders, 1, packed({{"a", "b"}})),
           http2_frame(kHeaders, kEndHeaders, 0, packed({{"a", "b"}})),
           http2_frame(kHeaders, kEndHeaders | kPadded, 3, "\x7F" + packed({{"a", "b"}})),
           http2_frame(kHeaders, kEndHeaders | kPriority, 3, "abc"),
           http2_frame(kData, kPadded, 1, ""),
       }) {
    const std::string bytes = client(good + bad + http2_frame(kData, 0, 1, kText));
    const Read read = read_all(bytes);
    CHECK(read.text() == "a: b\n");
    CHECK(read.pieces.back().why == Withheld::broken);
    CHECK(read.length == bytes.size());
  }
}

TEST_CASE("http2: bytes missing within data leave the rest readable, elsewhere they withhold it") {
  HeaderPacker packer;
  const std::string head = client(block(packer, 1, {{"a", "b"}}));
  const std::string bytes = head + http2_frame(kData, 0, 1, "0123456789\nabc") + block(packer, 3, {{"c", "d"}});
  const auto without = [&bytes](std::size_t from, std::size_t count) {
    StreamReader reader(0, true, std::make_shared<ReaderBudget>());
    Pieces pieces;
    reader.take(bytes.substr(0, from), pieces);
    reader.miss(count, pieces);
    reader.take(bytes.substr(std::min(from + count, bytes.size())), pieces);
    Read read;
    read.add(pieces.take());
    return read.text();
  };
  CHECK(without(head.size() + 12, 3) == "a: b\n012********c: d\n");
  CHECK(without(head.size() + 12, 40) == "a: b\n012");
  CHECK(without(head.size(), 5) == "a: b\n");
  CHECK(without(30, 5).empty());
}

TEST_CASE("http2: first bytes that only look like it are told as text") {
  const std::string bytes = "PRI * HTTP/2.0\r\n\r\nno " + kKey;
  CHECK(read_by(bytes, 1).text() == "PRI * HTTP/2.0\r\n\r\nno sk-ant-**************************");
  StreamReader reader(0, true, std::make_shared<ReaderBudget>());
  Pieces pieces;
  reader.take("PRI", pieces);
  CHECK(reader.holds());
  reader.flush(pieces);
  CHECK_FALSE(reader.holds());
  Read read;
  read.add(pieces.take());
  CHECK(read.text() == "PRI");
  CHECK(read_all(std::string("\0\0\0\0\0\0\0\0\0 text", 14)).text() == std::string(14, '*'));
}
