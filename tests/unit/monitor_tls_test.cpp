// The Monitor and TLS: whose bytes they are, which connections a fork copied, and exits that come after them.
#include "state/tls_connections.h"
#include "support/monitored.h"

using namespace aa;
using namespace aa::test;

namespace {

const Who kSpeaker = a_process(100, 5'000, "agent");
const Who kCurl = a_process(200, 9'000, "curl").child_of(kSpeaker).with_image(1);

// A Monitor that sees TLS and watches kSpeaker.
struct TlsHouse : Monitored {
  TlsHouse() {
    monitor.on_probe({"tls", "libssl.so.3", "uprobe:/lib/libssl.so.3", ProbeState::attached, 0, ""});
    slot = watch(kSpeaker);
    monitor.on_event(a_fork().of(kSpeaker).child(kCurl).in_slot(slot));
    monitor.on_event(an_exec().of(kCurl).exe("/usr/bin/curl").argv({"curl"}).in_slot(slot));
  }

  template <class Body>
  Event record(Body body) const {
    Event event;
    event.boot_ns = 3'000'000;
    event.slot = slot;
    event.process.emplace();  // a record names the process's id only
    event.process->id = kCurl.id;
    event.process->tid = 201;
    event.process->image = kCurl.image;
    event.body = std::move(body);
    return event;
  }

  Event bytes(std::uint32_t connection) const {
    TlsBody body;
    body.connection = connection;
    body.length = body.call_length = 5;
    body.data = "hello";
    return record(body);
  }

  std::uint32_t slot = 0;
};

}  // namespace

TEST_CASE("tls: an event says whose bytes they are, though its record names an id only") {
  TlsHouse house;
  const Step step = house(house.bytes(1));
  REQUIRE(types_of(step) == std::vector<std::string>{"tls"});
  const Event& event = step.events[0];
  CHECK(event.target.has_value());
  CHECK(event.process->comm == "curl");
  CHECK(event.process->exe == "/usr/bin/curl");
  CHECK(event.process->parent == kSpeaker.id);
  CHECK(event.process->uid == 1000);
  CHECK(event.process->tid == 201);
  CHECK(std::get<TlsBody>(event.body).data == "hello");
  CHECK_FALSE(std::get<TlsBody>(event.body).inherited_from.has_value());
}

TEST_CASE("tls: a connection that a fork copied names the one before, until it is closed") {
  TlsHouse house;
  CHECK(house(house.record(TlsConnectionBody{2, 1, "127.0.0.1:443", PeerSource::call})).events.empty());
  const auto inherited = [&](std::uint32_t connection) {
    return bodies_of<TlsBody>(house(house.bytes(connection)))[0].inherited_from;
  };
  CHECK(inherited(2) == 1);
  CHECK(bodies_of<TlsBody>(house(house.bytes(2)))[0].peer == "127.0.0.1:443");
  CHECK_FALSE(inherited(3).has_value());
  CHECK(house(house.record(TlsClosedBody{2})).events.empty());
  CHECK_FALSE(inherited(2).has_value());
}

TEST_CASE("tls: a process's exit is told after everything it said") {
  TlsHouse house;
  const Step exit = house(an_exit().of(kCurl).at(4'000'000).in_slot(house.slot));
  CHECK(exit.events.empty());
  REQUIRE(plans_of<SettlePlan>(exit).size() == 1);
  CHECK(types_of(house(house.bytes(1))) == std::vector<std::string>{"tls"});
  CHECK(types_of(house.monitor.complete(Settled{kCurl.id})) == std::vector<std::string>{"exit"});
}

TEST_CASE("tls: bytes of a target that was released while they were under way are told as its own") {
  TlsHouse house;
  StopMonitoring stop;
  stop.target = "100";
  house.monitor.apply(stop);
  house.monitor.complete(Released{0, house.slot, 5'000'000, std::nullopt});
  const Step late = house(house.bytes(1));
  REQUIRE(types_of(late) == std::vector<std::string>{"tls"});
  CHECK(late.events[0].target.has_value());
}

TEST_CASE("tls: of too many connections the process that has most forgets, nobody else") {
  TlsConnections connections;
  const auto body = [](std::uint32_t connection) {
    return TlsConnectionBody{connection, 0, "127.0.0.1:443", PeerSource::call};
  };
  const ProcessId few{1, 1}, many{2, 1};
  connections.put(few, body(1));
  for (std::uint32_t i = 1; i <= 65'536; ++i) connections.put(many, body(i));
  CHECK(connections.find(few, 1) != nullptr);
  CHECK(connections.find(many, 1) == nullptr);
  CHECK(connections.find(many, 65'536) != nullptr);
  connections.erase(many, 65'536);
  CHECK(connections.find(many, 65'536) == nullptr);
  connections.forget(few);
  CHECK(connections.find(few, 1) == nullptr);
}
