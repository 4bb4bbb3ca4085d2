// TLS records: a short header of their own, and rooms in the ring larger than what they hold.
#include <sys/socket.h>

#include "abi/tls.h"
#include "event/decode.h"
#include "event/tls_functions.h"
#include "support/builders.h"
#include "support/catch.h"

using namespace aa;
using namespace aa::test;

namespace {

struct RawTls {
  aa_tls tls{};
  std::string bytes;

  RawTls() {
    tls.version = AA_RECORD_VERSION;
    tls.kind = AA_KIND_TLS;
    tls.tgid = 4300;
    tls.tid = 4301;
    tls.start_ns = 98'123;
    tls.image = 2;
    tls.slot = 0x101;
    tls.connection = 9;
    tls.function = AA_TLS_SSL_READ_EX;
  }
  RawTls& holding(const std::string& data) {
    bytes = data;
    tls.length = tls.call_length = static_cast<__u32>(data.size());
    return *this;
  }
  Bytes record() const {
    aa_tls copy = tls;
    copy.size = static_cast<__u32>(sizeof(copy) + bytes.size());
    Bytes out;
    test::put(out, copy);
    put_text(out, bytes);
    return out;
  }
};

TlsBody decoded_tls(const Bytes& record) {
  auto event = decode(record);
  if (!event) FAIL(event.error().text());
  return std::get<TlsBody>(event->body);
}

}  // namespace

TEST_CASE("decode: a TLS record carries its bytes, its connection and its place in the stream") {
  RawTls raw;
  raw.holding("hello").tls.offset = 77;
  raw.tls.flags = AA_TLS_FLAG_FROM_START | AA_TLS_FLAG_FULL;
  const auto event = decode(raw.record());
  REQUIRE(event.has_value());
  CHECK(event->slot == 0x101);
  CHECK(event->process->id == ProcessId{4300, 98'123});
  CHECK(event->process->tid == 4301);
  CHECK(event->process->image == 2);
  const auto& body = std::get<TlsBody>(event->body);
  CHECK(body.direction == TlsDirection::recv);
  CHECK(tls_function(body.function)->name == "SSL_read_ex");
  CHECK(body.connection == 9);
  CHECK(body.from_start);
  CHECK(body.offset == 77);
  CHECK(body.length == 5);
  CHECK(body.data == "hello");
  CHECK(body.withheld == Withheld::nothing);
}

TEST_CASE("decode: what lies behind a TLS record in its room is left alone") {
  Bytes record = RawTls().holding("hello").record();
  put_text(record, "somebody else's plaintext");
  CHECK(decoded_tls(record).data == "hello");
}

TEST_CASE("decode: a TLS record that brings less than it stands for says why") {
  const auto why = [](unsigned flags, const std::string& data) {
    RawTls raw;
    raw.holding(data).tls.length = 100;
    raw.tls.flags = static_cast<__u8>(flags);
    return decoded_tls(raw.record()).withheld;
  };
  CHECK(why(0, "") == Withheld::level);
  CHECK(why(AA_TLS_FLAG_CUT, "abc") == Withheld::limit);
  CHECK(why(AA_TLS_FLAG_UNREAD, "") == Withheld::unreadable);
  CHECK(why(AA_TLS_FLAG_FILE, "") == Withheld::file);
}

TEST_CASE("decode: a TLS record from the too-short one up is refused, never read beyond its end") {
  const Bytes whole = RawTls().holding("hello").record();
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(decode(std::span(whole).first(size)).has_value());
  const auto refused = [](auto change) {
    RawTls raw;
    raw.holding("hello");
    change(raw.tls);
    return !decode(raw.record()).has_value();
  };
  CHECK(refused([](aa_tls& tls) { tls.version = 9; }));
  CHECK(refused([](aa_tls& tls) { tls.tgid = 0; }));
  CHECK(refused([](aa_tls& tls) { tls.function = 200; }));
  CHECK(refused([](aa_tls& tls) { tls.length = 4; }));
  Bytes small = whole;
  patch(small, offsetof(aa_tls, size), std::uint32_t{sizeof(aa_tls) - 1});
  CHECK_FALSE(decode(small).has_value());
}

TEST_CASE("decode: a connection that a fork copied names the one before, and an end names its own") {
  aa_tls_connection raw{};
  raw.tls = RawTls().tls;
  raw.tls.kind = AA_KIND_TLS_CONNECTION;
  raw.tls.size = sizeof(raw);
  raw.inherited_from = 8;
  raw.peer.family = AF_INET6;
  raw.peer.source = AA_TLS_PEER_CALL;
  raw.peer.port = 443;
  raw.peer.address[15] = 1;
  Bytes record;
  test::put(record, raw);
  const auto event = decode(record);
  REQUIRE(event.has_value());
  CHECK(std::get<TlsConnectionBody>(event->body).connection == 9);
  CHECK(std::get<TlsConnectionBody>(event->body).inherited_from == 8);
  CHECK(std::get<TlsConnectionBody>(event->body).peer == "[::1]:443");
  CHECK(std::get<TlsConnectionBody>(event->body).peer_source == PeerSource::call);
  patch(record, offsetof(aa_tls_connection, peer) + offsetof(aa_tls_peer, source), std::uint8_t{9});
  CHECK_FALSE(decode(record).has_value());
  patch(record, offsetof(aa_tls_connection, peer) + offsetof(aa_tls_peer, source), std::uint8_t{0});
  patch(record, offsetof(aa_tls, kind), std::uint16_t{AA_KIND_TLS_CLOSED});
  const auto closed = decode(record);
  REQUIRE(closed.has_value());
  CHECK(std::get<TlsClosedBody>(closed->body).connection == 9);
  patch(record, offsetof(aa_tls, kind), std::uint16_t{AA_KIND_TLS_CONNECTION});
  patch(record, offsetof(aa_tls, size), std::uint32_t{sizeof(aa_tls)});
  CHECK_FALSE(decode(record).has_value());
}
