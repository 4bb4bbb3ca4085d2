#include <future>

#include "control_fixture.h"

using namespace aa;
using namespace aa::test;

namespace {

void wait_for(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

std::size_t commands_seen(FakeHouse& house) {
  std::size_t count = 0;
  house.on_loop([&] { count = house.commands.size(); });
  return count;
}

}  // namespace

TEST_CASE("control: a handler that throws answers Failed and the service lives") {
  Fixture f;
  f.house.on_loop(
      [&] { f.house.subscribe = [](const StreamFilter&) -> Result<UniqueFd> { throw std::runtime_error("a slip"); }; });
  const auto failure = failure_of([&] { f.client->Subscribe({}); });
  CHECK(failure.name == "Failed");
  CHECK(failure.sentence.find("a slip") != std::string::npos);
  CHECK(f.client->ListTargets().empty());
}

TEST_CASE("control: a command that waits is answered later, and other calls are answered meanwhile") {
  Fixture f;
  f.house.hold_commands = true;
  auto answer = std::async(std::launch::async, [&] { return Client(f.bus.address())->StartMonitoring(200, {}); });
  wait_for([&] { return commands_seen(f.house) == 1; });
  CHECK(f.client->ListTargets().empty());
  f.house.on_loop([&] { f.house.release_commands(); });
  CHECK(answer.get() == std::get<0>(f.client->ListTargets().at(0)));
}

TEST_CASE("control: a caller who leaves before the answer harms nobody") {
  Fixture f;
  f.house.hold_commands = true;
  {
    const auto connection = connect_as(f.bus.address(), 0);
    const auto proxy = sdbus::createProxy(*connection, bus::service("org.agentassembly.Ebpfd1"),
                                          sdbus::ObjectPath{"/org/agentassembly/Ebpfd1"});
    proxy->callMethodAsync("StartMonitoring")
        .onInterface("org.agentassembly.Ebpfd1.Manager")
        .withArguments(std::uint32_t{200}, Dict{})
        .uponReplyInvoke([](bus::ReplyError, const std::string&) {});
    while (bus::process(*connection)) {
    }
    wait_for([&] { return commands_seen(f.house) == 1; });
  }
  f.house.on_loop([&] { f.house.release_commands(); });
  CHECK(f.client->ListTargets().size() == 1);
}

TEST_CASE("control: a call still unanswered when the control ends is answered Failed") {
  Fixture f;
  f.house.hold_commands = true;
  auto failure = std::async(std::launch::async, [&] {
    Client other(f.bus.address());
    return failure_of([&] { other->StartMonitoring(200, {}); });
  });
  wait_for([&] { return commands_seen(f.house) == 1; });
  f.house.on_loop([&] { f.house.make_control(); });
  REQUIRE(failure.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  CHECK(failure.get().name == "Failed");

  // The old command's answer finds nobody in the new control, and a new call gets its own.
  f.house.on_loop([&] { f.house.release_commands(); });
  CHECK(f.client->StartMonitoring(900, {}) != std::get<0>(f.client->ListTargets().at(0)));
}

TEST_CASE("control: when the bus dies process says so, and a new control serves the new bus") {
  Fixture f;
  f.watch_agent();
  f.bus.stop();
  wait_for([&] {
    bool lost = false;
    f.house.on_loop([&] { lost = f.house.lost_bus; });
    return lost;
  });
  f.bus.start();
  f.house.on_loop([&] { f.house.make_control(); });
  Client again(f.bus.address());
  CHECK(again->ListTargets().size() == 1);
}

TEST_CASE("control: a wrong signature and an unknown method are the bus's own errors") {
  Fixture f;
  const auto connection = connect_as(f.bus.address(), 0);
  const auto proxy = sdbus::createProxy(*connection, bus::service("org.agentassembly.Ebpfd1"),
                                        sdbus::ObjectPath{"/org/agentassembly/Ebpfd1"});
  const auto call = [&](const char* member) {
    return failure_of([&] {
             proxy->callMethod(member).onInterface("org.agentassembly.Ebpfd1.Manager").withArguments(std::string("x"));
           })
        .name;
  };
  CHECK(call("StartMonitoring") == "org.freedesktop.DBus.Error.InvalidArgs");
  CHECK(call("StartMonitorin") == "org.freedesktop.DBus.Error.UnknownMethod");
  CHECK(f.client->ListTargets().empty());
}

TEST_CASE("control: no bus, a bus without the policy and a taken name are errors that say what to do") {
  Monitor monitor{Monitor::Settings{}};
  const Admitted admitted;
  const auto hint = [&](const std::string& address) {
    Control::House house;
    house.monitor = &monitor;
    house.admitted = &admitted;
    const auto made = Control::make(address, std::move(house));
    REQUIRE_FALSE(made.has_value());
    return made.error().hint;
  };
  CHECK(hint("unix:path=/nonexistent/socket") == "start dbus, or pass --bus ADDRESS");
  CHECK(hint("nonsense") == "start dbus, or pass --bus ADDRESS");
  const PrivateBus bare(PrivateBus::Policy::none);
  CHECK(hint(bare.address()).find("org.agentassembly.Ebpfd1.conf") != std::string::npos);
  const Fixture f;
  CHECK(hint(f.bus.address()).find("another aa-ebpfd runs") != std::string::npos);
}

TEST_CASE("control: many callers are told apart after more connections than are remembered") {
  Fixture f;
  for (int i = 0; i < 300; ++i) CHECK(Client(f.bus.address())->ListTargets().empty());
  CHECK(f.client->ListTargets().empty());
}
