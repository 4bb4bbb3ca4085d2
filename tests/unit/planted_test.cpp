// Two hundred secrets, each sent in every way that is undone: none is in any event. And what only looks like one is.
#include <bitset>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <set>

#include "base/text.h"
#include "event/json.h"
#include "event/redact.h"
#include "support/builders.h"
#include "support/catch.h"
#include "support/rounds.h"
#include "support/wire.h"

using namespace aa;
using namespace aa::test;

namespace {

constexpr std::string_view kMask("\xA7\x00\x31\xFE", 4);

// What a connection carries, in each way: a text in, a client's bytes from the first on out.
using Way = std::string (*)(const std::string&);

std::string post(const std::string& fields, const std::string& body) {
  return "POST /v1 HTTP/1.1\r\nHost: a\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

std::string messages(const std::string& frames) {
  return std::string(kWebSocketRequest) + frames;
}

std::string streams(const std::string& block, const std::string& data) {
  std::string frames(kHttp2Preface);
  frames += http2_settings();
  for (std::size_t at = 0; at < block.size() || at == 0; at += 16'000)
    frames += http2_frame(at == 0 ? 1 : 9, at + 16'000 >= block.size() ? 4 : 0, 1, block.substr(at, 16'000));
  for (std::size_t at = 0; at < data.size(); at += 10'000) frames += http2_frame(0, 0, 1, data.substr(at, 10'000));
  return frames;
}

const std::vector<std::pair<std::string, Way>> kWays = {
    {"plain", [](const std::string& text) { return post("", text); }},
    {"chunks",
     [](const std::string& text) {
       return post("", "") + "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(text, 13);
     }},
    {"gzip", [](const std::string& text) { return post("Content-Encoding: gzip\r\n", gzip(text)); }},
    {"br", [](const std::string& text) { return post("Content-Encoding: br\r\n", brotli(text)); }},
    {"zstd", [](const std::string& text) { return post("Content-Encoding: zstd\r\n", zstd(text)); }},
    {"deflate", [](const std::string& text) { return post("Content-Encoding: deflate\r\n", Packer(-15).pack(text)); }},
    {"gzip in chunks",
     [](const std::string& text) {
       return "PUT / HTTP/1.1\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" +
              chunked(gzip(text), 40);
     }},
    {"masked", [](const std::string& text) { return messages(frame(0x81, text, kMask)); }},
    {"masked in fragments",
     [](const std::string& text) {
       const std::size_t half = text.size() / 2;
       return messages(frame(0x01, text.substr(0, half), kMask) + frame(0x80, text.substr(half), kMask));
     }},
    {"masked and compressed",
     [](const std::string& text) {
       Packer packer(-15);
       std::string frames = packed_frame(packer, "hello", kMask);
       frames += packed_frame(packer, text, kMask);
       return messages(frames);
     }},
    {"http2",
     [](const std::string& text) {
       return streams(HeaderPacker().pack({{"a", "b"}}), text);
     }},
    {"http2 and gzip",
     [](const std::string& text) {
       return streams(HeaderPacker().pack({{"content-encoding", "gzip"}}), gzip(text));
     }},
    {"http2's own coding",
     [](const std::string& text) {
       return streams(HeaderPacker().pack({{"x-note", text}}), "");
     }},
};

struct Planted {
  std::string text;
  std::string secret;  // of it
};

std::string letters(std::mt19937& random, std::size_t count, std::string_view alphabet) {
  std::string out;
  while (out.size() < count) out += alphabet[random() % alphabet.size()];
  return out;
}

std::string alphabet_of(const ByteClass& bytes) {
  std::string alphabet;
  for (unsigned byte = '0'; byte <= 'z'; ++byte)
    if (bytes.test(byte) && byte != '=') alphabet += static_cast<char>(byte);
  return alphabet;
}

// The keys of all services, every second one in base64, and the fields of headers and of JSON, in base64 too.
std::vector<Planted> planted() {
  std::mt19937 random(5);
  std::vector<Planted> all;
  for (const SecretRule& rule : secret_rules()) {
    if (rule.shape == SecretShape::token) {
      std::string secret = letters(random, rule.least + 10u, alphabet_of(*rule.bytes));
      if (rule.needs != 0) secret[rule.needs_at != 0 ? rule.needs_at : rule.least / 2] = rule.needs;
      const std::string key = (rule.digits_before ? "123456789" : "") + std::string(rule.begin) + secret;
      all.push_back({"{\"k\":\"" + key + "\"}", secret});
      if (rule.begin.size() < 3) continue;
      const std::string coded = base64(std::string(all.size() / 2 % 3, '{') + key);
      all.push_back({"{\"k\":\"" + coded + "\"}", coded.substr((key.size() - secret.size() + 4) / 3 * 4)});
    } else if (rule.shape == SecretShape::field) {
      const std::string secret = letters(random, 16, "abcdefghijklmnopqrstuvwxyz0123456789+/");
      all.push_back({"{\"a\":1,\"" + std::string(rule.begin) + "\": \"" + secret + "\"}", secret});
      all.push_back({"say " + std::string(rule.begin) + "=" + secret + " end", secret});
      const std::string before = std::string(all.size() % 3, '{') + "\"" + std::string(rule.begin) + "\":\"";
      const std::string coded = base64(before + secret + "\"}");
      all.push_back({"{\"k\":\"" + coded + "\"}", coded.substr((before.size() + 2) / 3 * 4)});
    }
  }
  return all;
}

// All that is told of a client's bytes, in calls that begin at these places: as lines, and as the text in them. Checks
// that run a hundred thousand times are assertions only when they fail: a reporter may keep each one.
struct Told {
  std::string lines;
  std::string text;
};

Told told_of(const std::string& bytes, const std::vector<std::size_t>& cuts) {
  Redactor redactor;
  Told told;
  std::uint64_t next = 0;
  const Redactor::Give give = [&](const Event& event) {
    const auto& body = std::get<TlsBody>(event.body);
    if (body.offset != next) FAIL("told at " << body.offset << " what belongs to " << next);
    next += body.length;
    told.text += body.data;
    told.lines += to_json(event);
  };
  const Who client = a_process(200, 9'000, "curl");
  for (std::size_t at = 0; at < cuts.size(); ++at) {
    const std::size_t end = at + 1 < cuts.size() ? cuts[at + 1] : bytes.size();
    TlsBody body;
    body.function = 1;
    body.connection = 1;
    body.from_start = true;
    body.offset = cuts[at];
    body.data = bytes.substr(cuts[at], end - cuts[at]);
    body.length = body.call_length = body.data.size();
    Event event;
    event.process = client;
    event.body = body;
    redactor.take(event, give);
  }
  redactor.end(client.id, give);
  if (next != bytes.size()) FAIL("told " << next << " of " << bytes.size() << " bytes");
  return told;
}

// A secret by all its runs of so many bytes.
class Traces {
 public:
  explicit Traces(std::string_view secret) {
    for (std::size_t at = 0; at + sizeof(Run) <= secret.size(); ++at) {
      const Run run = run_at(secret, at);
      runs_.insert(run);
      may_be_.set(slot(run));
    }
    REQUIRE_FALSE(runs_.empty());
  }

  // The first of them in a text; empty when there is none.
  std::string_view first_in(std::string_view text) const {
    for (std::size_t at = 0; at + sizeof(Run) <= text.size(); ++at)
      if (const Run run = run_at(text, at); may_be_[slot(run)] && runs_.contains(run))
        return text.substr(at, sizeof(Run));
    return {};
  }

 private:
  using Run = std::uint64_t;

  static Run run_at(std::string_view text, std::size_t at) {
    Run run = 0;
    std::memcpy(&run, text.data() + at, sizeof(run));
    return run;
  }
  static std::size_t slot(Run run) { return (run * 0x9E3779B97F4A7C15u) >> 52; }

  std::set<Run> runs_;
  std::bitset<1 << 12> may_be_;
};

void check_hidden(const Traces& secret, const Told& told) {
  for (const std::string& text : {std::cref(told.lines), std::cref(told.text)})
    if (const std::string_view trace = secret.first_in(text); !trace.empty()) FAIL("told of a secret: " << trace);
}

std::vector<std::size_t> every_byte(const std::string& bytes) {
  std::vector<std::size_t> cuts(bytes.size());
  std::iota(cuts.begin(), cuts.end(), 0);
  return cuts;
}

std::string harmless() {
  const std::string_view kPhrases[] = {"task-force sk-8 risk-averse ",
                                       "the password: is required, ",
                                       "https://a.b:80/c?d=e ",
                                       "ghp_short AKIA123 hf_ model ",
                                       "eyJust a word. ",
                                       "max_tokens: 4096, ",
                                       "na\xC3\xAFve \xF0\x9F\x98\x80 ",
                                       "c2stYW50LQ== Z2hwXw== "};
  std::mt19937 random(3);
  std::string text;
  while (text.size() < test::rounds(1 << 20)) {
    text += kPhrases[random() % std::size(kPhrases)];
    text += base64(letters(random, 40, "\x01\x92\xE3\x74\xF5\x0B\xCC\x3D")) + " ";
  }
  return text;
}

}  // namespace

TEST_CASE("planted: of two hundred secrets, sent in every way, none is in any event") {
  const std::vector<Planted> all = planted();
  REQUIRE(all.size() >= 200);
  for (std::size_t way = 0; way < kWays.size(); ++way)
    for (std::size_t at = way; at < all.size(); at += test::sparse()) {
      const std::string bytes = kWays[way].second(all[at].text);
      INFO(kWays[way].first << ": " << all[at].text);
      const Told told = told_of(bytes, {0});
      const Traces secret(all[at].secret);
      check_hidden(secret, told);
      REQUIRE(told.text.find(all[at].text.substr(0, 4)) != std::string::npos);  // it was read, and not withheld
      if ((at + way) % 8 == 0) check_hidden(secret, told_of(bytes, every_byte(bytes)));
    }
}

// With --full at every byte in every way. Else so in one way, in each of the others at one of so many: which, is
// another one for each secret.
TEST_CASE("planted: nor when a call ends at any one byte of it") {
  const std::size_t others_apart = test::quick() ? 26 : 1;
  const std::vector<Planted> all = planted();
  for (std::size_t at = 0; at < all.size(); ++at) {
    const Traces secret(all[at].secret);
    for (std::size_t number = 0; number < kWays.size(); ++number) {
      const auto& [name, way] = kWays[number];
      const std::string bytes = way(all[at].text);
      const std::size_t apart = at % kWays.size() == number ? 1 : others_apart;
      INFO(name << ": " << all[at].text);
      for (std::size_t cut = 1 + (at + number) % apart; cut < bytes.size(); cut += apart * test::sparse())
        check_hidden(secret, told_of(bytes, {0, cut}));
    }
  }
}

TEST_CASE("planted: 1 MiB of text that only looks like secrets comes through every way unharmed") {
  const std::string text = harmless();
  for (const auto& [name, way] : kWays) {
    if (name == "http2's own coding") continue;  // nobody's header is as long
    const std::string bytes = way(text);
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; at < bytes.size(); at += 16'384) cuts.push_back(at);
    INFO(name);
    const std::string told = told_of(bytes, cuts).text;
    CHECK((told.size() >= text.size() && told.compare(told.size() - text.size(), text.size(), text) == 0));
  }
}

TEST_CASE("planted: bytes that somebody damaged end no reader, and each of them is counted") {
  std::mt19937 random(9);
  const std::string text = planted().front().text + std::string(300, 'x');
  for (std::uint64_t round = 0; round < test::rounds(4'000); ++round) {
    std::string bytes = kWays[random() % kWays.size()].second(text) + kWays[random() % kWays.size()].second(text);
    for (unsigned hits = random() % 4; hits > 0; --hits) {
      const std::size_t at = random() % bytes.size(), count = random() % 9;
      if (random() % 3 == 0)
        bytes.erase(at, count);
      else if (random() % 2 == 0)
        bytes.insert(at, bytes.substr(random() % bytes.size(), count));
      else
        bytes[at] = static_cast<char>(random());
    }
    StreamReader reader(0, random() % 8 != 0, std::make_shared<ReaderBudget>());
    Pieces pieces;
    Read read;
    std::uint64_t missing = 0;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 200, bytes.size() - at);
      if (random() % 40 == 0) {
        reader.miss(size, pieces);
        missing += size;
      } else {
        reader.take(bytes.substr(at, size), pieces);
      }
      at += size;
      if (random() % 10 == 0) reader.flush(pieces);
      read.add(pieces.take());
    }
    reader.flush(pieces);
    read.add(pieces.take());
    REQUIRE_FALSE(reader.holds());
    REQUIRE(read.length + missing == bytes.size());
    for (const Piece& piece : read.pieces)
      for (const Redaction& one : piece.redactions)
        REQUIRE((piece.undone == 0 || one.offset + one.length <= piece.text.size()));
  }
}
