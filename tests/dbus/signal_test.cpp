#include "control_fixture.h"

using namespace aa;
using namespace aa::test;

namespace {

using Lines = std::vector<std::string>;

// One event for every signal, and one that has none.
void announce_everything(FakeHouse& house) {
  Event alert;
  alert.seq = 9;
  alert.target = TargetRef{"some-id", "claude"};
  alert.process = a_process(200, 2'000);
  alert.body = AlertBody{"probe-lost", Severity::critical, "r1", "Odd \xff bytes.", {}, 8};
  house.announce(alert);
  Event loss;
  loss.body = LossBody{"exec", "ring-full", 12, 1, 2};
  house.announce(loss);
  Event probe;
  probe.body = ProbeBody{"exec", "aa_exec", "tp_btf", ProbeState::attached, 0, ""};
  house.announce(probe);
  Event gap;
  gap.body = GapBody{1, 2, "start"};
  house.announce(gap);
}

}  // namespace

TEST_CASE("control: events become the contract's signals, others none") {
  Fixture f;
  announce_everything(f.house);
  CHECK(f.client.collect() == Lines{"Alert probe-lost critical some-id 200 Odd \xEF\xBF\xBD bytes.",
                                    "EventsLost exec ring-full 12", "ProbeStateChanged exec aa_exec attached 0 "});
  const Dict details = f.client->last_details;
  CHECK(value<std::string>(details, "process") == "200-2000");
  CHECK(value<std::string>(details, "rule") == "r1");
  CHECK(value<std::uint64_t>(details, "seq") == 9);
  CHECK(value<std::uint64_t>(details, "cause_seq") == 8);
}

TEST_CASE("control: a target is announced when it is added and when it is stopped") {
  Fixture f;
  const std::string id = f.watch_agent();
  CHECK(f.client.collect() == Lines{"TargetAdded " + id});
  f.client->StopMonitoring(id);
  CHECK(f.client.collect() == Lines{"TargetRemoved " + id});
}

TEST_CASE("control: a target whose last process exits is announced as removed and stays listed as exited") {
  Fixture f;
  const std::string id = f.client->StartMonitoring(900, {});
  f.client.collect();
  f.house.feed(an_exit().of(a_process(900, 9'000)).at(60'000).code(0));
  CHECK(f.client.collect() == Lines{"TargetRemoved " + id});
  const auto targets = f.client->ListTargets();
  REQUIRE(targets.size() == 1);
  CHECK(std::get<4>(targets.front()) == "exited");
  CHECK(value<std::uint64_t>(std::get<6>(targets.front()), "ended_boot_ns") == 60'000);
}

TEST_CASE("control: a user other than root hears no signal") {
  if (!is_root()) {
    WARN("skipped: needs root to act as another user");
    return;
  }
  Fixture f;
  Client nobody(f.bus.address(), kNobody);
  f.watch_agent();
  announce_everything(f.house);
  CHECK(f.client.collect().size() == 4);
  CHECK(nobody.collect().empty());
}
