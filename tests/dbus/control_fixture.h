// tests/dbus/control_fixture.h: one bus, one house and one root client a test.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "client.h"
#include "fake_house.h"
#include "private_bus.h"
#include "support/builders.h"
#include "support/catch.h"

namespace aa::test {

// Tests connect as another user and own a name that the policy gives to root.
inline bool is_root() {
  return ::geteuid() == 0;
}

struct Fixture {
  PrivateBus bus;
  FakeHouse house{bus.address()};
  Client client{bus.address()};

  // Watches 200 (agent) with its child 300 (tool).
  std::string watch_agent(const Dict& options = {}) { return client->StartMonitoring(200, options); }

  // Adds `count` living children of the agent with that argv; the agent must be watched.
  void add_children(std::uint32_t count, const std::vector<std::string>& argv) {
    const Who agent = a_process(200, 2'000, "agent");
    house.on_loop([&] {
      for (std::uint32_t i = 0; i < count; ++i) {
        const Who child = a_process(10'000 + i, 100'000 + i, "child").child_of(agent);
        house.take(house.monitor().on_event(a_fork().in_slot(house.slot).of(agent).child(child).at(100'000 + i)));
        house.take(house.monitor().on_event(an_exec()
                                                .in_slot(house.slot)
                                                .of(child.with_image(1))
                                                .exe("/bin/child")
                                                .cwd("/")
                                                .argv(argv)
                                                .at(100'001 + i)));
      }
    });
  }
};

inline std::vector<std::uint32_t> pids(const std::vector<ProcessRow>& rows) {
  std::vector<std::uint32_t> out;
  for (const auto& row : rows) out.push_back(std::get<3>(row));
  return out;
}

template <class T>
T value(const Dict& dict, const std::string& key) {
  INFO(key);
  REQUIRE(dict.count(key) == 1);
  return dict.at(key).get<T>();
}

}  // namespace aa::test
