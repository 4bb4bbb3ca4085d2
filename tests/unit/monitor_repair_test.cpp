// Monitor: losses told, lineage repaired, time passing, programs' states.
#include "support/monitored.h"

using namespace aa;
using namespace aa::test;

namespace {

using Types = std::vector<std::string>;
constexpr std::uint64_t kSecond = 1'000'000'000;

LedgerRow row(std::string cause, std::uint64_t count, std::uint64_t first = 1, std::uint64_t last = 2) {
  return {"exec", std::move(cause), count, first, last};
}

Step count(Monitored& house, std::uint64_t at, std::vector<LedgerRow> ledger, std::vector<SlotCount> slots = {}) {
  return house.monitor.on_counts({at, std::move(ledger), std::move(slots)});
}

Step reconcile(Monitored& house, std::uint64_t at, std::vector<LivingProcess> processes) {
  return house.monitor.complete(Reconciled{at, std::move(processes)});
}

ProbeBody probe(ProbeState state, std::string reason = "") {
  return {"exec", "aa_exec", "tp_btf/sched_process_exec", state, 0, std::move(reason)};
}

}  // namespace

TEST_CASE("counts: attempts are no loss, and a count that stands still is told once") {
  Monitored house;
  house.watch(kAgent);
  CHECK(count(house, 10, {row("attempt", 100)}).events.empty());
  CHECK(types_of(count(house, 20, {row("attempt", 200), row("ring-full", 3, 11, 12)})) == Types{"loss", "alert"});
  CHECK(count(house, 30, {row("attempt", 300), row("ring-full", 3, 11, 12)}).events.empty());
  CHECK(house.monitor.ledger().size() == 2);
}

TEST_CASE("counts: a loss event carries only what is new, and when") {
  Monitored house;
  house.watch(kAgent);
  CHECK(bodies_of<LossBody>(count(house, 20, {row("ring-full", 3, 11, 12)}))[0].first_boot_ns == 11);
  const auto loss = bodies_of<LossBody>(count(house, 40, {row("ring-full", 10, 11, 35)}));
  REQUIRE(loss.size() == 1);
  CHECK(loss[0].family == "exec");
  CHECK(loss[0].count == 7);
  CHECK(loss[0].first_boot_ns == 20);
  CHECK(loss[0].last_boot_ns == 35);
}

TEST_CASE("counts: bytes that died with the daemon before are told as such") {
  Monitored house;
  const Step step = count(house, 20, {{"tls", "undecided", 7, 11, 12}});
  CHECK(bodies_of<LossBody>(step)[0].count == 7);
  CHECK(bodies_of<AlertBody>(step)[0].summary ==
        "7 bytes of conversations were not told yet when the daemon before died");
}

TEST_CASE("counts: a loss that the kernel does not date happened between two readings") {
  Monitored house;
  house.watch(kAgent);
  count(house, 20, {row("recursion", 0, 0, 0)});
  for (const std::uint64_t at : {30, 40}) {
    const auto loss = bodies_of<LossBody>(count(house, at, {row("recursion", at, 0, 0)}));
    REQUIRE(loss.size() == 1);
    CHECK(loss[0].first_boot_ns == at - 10);
    CHECK(loss[0].last_boot_ns == at);
  }
}

TEST_CASE("counts: a lost record asks for a reconcile, a full watched set does not") {
  Monitored house;
  house.watch(kAgent);
  CHECK(plans_of<ReconcilePlan>(count(house, 20, {row("ring-full", 1)})).size() == 1);
  CHECK(plans_of<ReconcilePlan>(count(house, 30, {row("ring-full", 1), row("watched-full", 1)})).empty());
  CHECK(plans_of<ReconcilePlan>(count(house, 40, {row("ring-full", 1), row("watched-full", 1)})).empty());
}

TEST_CASE("counts: alerts of one cause come at most every ten seconds, loss events always") {
  Monitored house;
  CHECK(types_of(count(house, kSecond, {row("ring-full", 1)})) == Types{"loss", "alert"});
  CHECK(types_of(count(house, 2 * kSecond, {row("ring-full", 2)})) == Types{"loss"});
  CHECK(types_of(count(house, 3 * kSecond, {row("ring-full", 2), row("scratch", 1)})) == Types{"loss", "alert"});
  CHECK(types_of(count(house, 11 * kSecond, {row("ring-full", 3), row("scratch", 1)})) == Types{"loss", "alert"});
}

TEST_CASE("counts: a full watched set is critical and says what to raise") {
  Monitored house;
  const auto alerts = bodies_of<AlertBody>(count(house, 20, {row("watched-full", 4), row("share-full", 5)}));
  REQUIRE(alerts.size() == 2);
  CHECK(alerts[0].kind == "watched-set-full");
  CHECK(alerts[0].severity == Severity::critical);
  CHECK(alerts[0].summary.find("raise watched.limit") != std::string::npos);
  CHECK(alerts[1].summary.find("raise watched.share") != std::string::npos);
}

TEST_CASE("counts: a slot's numbers become its target's") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  count(house, 20, {}, {{slot, 1, 50, 2, 0}, {9'999, 1, 1, 1, 1}});
  CHECK(house.only_target().attempts == 50);
  CHECK(house.only_target().lost == 2);
}

TEST_CASE("refused: adopted as soon as there is room, once a second at most, until nobody is found") {
  Monitor::Settings settings = Monitored::settings();
  settings.target_share = 10;
  Monitored house(settings);
  const std::uint32_t slot = house.watch(kAgent);
  const auto plans = [&](std::uint64_t at, std::uint64_t live, std::uint64_t refused) {
    return plans_of<AdoptPlan>(count(house, at, {}, {{slot, live, 0, 0, refused}})).size();
  };
  CHECK(plans(1 * kSecond, 5, 0) == 0);
  CHECK(plans(2 * kSecond, 10, 3) == 0);  // no room
  CHECK(plans(3 * kSecond, 9, 3) == 1);
  CHECK(plans(3 * kSecond + 1, 9, 3) == 0);
  const Step step = house.monitor.complete(Adopted{slot, 4 * kSecond, {living(kShell, slot, true)}});
  CHECK(bodies_of<TargetBody>(step)[0].adopted == 1);
  CHECK(house.only_target().live == 2);
  CHECK(plans(5 * kSecond, 9, 3) == 1);  // there may be more
  CHECK(house.monitor.complete(Adopted{slot, 5 * kSecond, {living(kShell, slot)}}).events.empty());
  CHECK(plans(7 * kSecond, 9, 3) == 0);
  CHECK(plans(8 * kSecond, 9, 4) == 1);
}

TEST_CASE("reconcile: a watched process that is not there any more lost its exit") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(a_fork().of(kAgent).child(kShell).in_slot(slot));
  const Step step = reconcile(house, 9'000, {living(kAgent, slot)});
  CHECK(types_of(step) == Types{"loss"});
  CHECK(bodies_of<LossBody>(step)[0].cause == "exit-lost");
  CHECK(bodies_of<LossBody>(step)[0].count == 1);
  CHECK(house.monitor.lineage().get(kShell.id)->exit == kExitLost);
  CHECK(house.monitor.repairs().reconciled_lost_exits == 1);
  CHECK(house.only_target().live == 1);
}

TEST_CASE("reconcile: a target whose every exit was lost has exited") {
  Monitored house;
  house.watch(kAgent);
  const Step step = reconcile(house, 9'000, {});
  CHECK(types_of(step) == Types{"loss", "target:exited"});
  CHECK(plans_of<ReleasePlan>(step).size() == 1);
}

TEST_CASE("reconcile: a process younger than the snapshot is not missed") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(a_fork().of(kAgent).child(kShell).in_slot(slot));
  CHECK(reconcile(house, 1'500, {living(kAgent, slot)}).events.empty());
  CHECK(house.monitor.lineage().get(kShell.id)->alive());
}

TEST_CASE("reconcile: a watched process nobody told of is taken in") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  const Step step = reconcile(
      house, 9'000, {living(kAgent, slot), with_text(living(kShell, slot), "/bin/sh", {"sh"}), living(kInit)});
  CHECK(types_of(step) == Types{"loss"});
  CHECK(bodies_of<LossBody>(step)[0].cause == "fork-lost");
  CHECK(house.monitor.repairs().reconciled_found == 1);
  const Process* shell = house.monitor.lineage().get(kShell.id);
  REQUIRE(shell != nullptr);
  CHECK(shell->text->exe == "/bin/sh");
  CHECK(house.only_target().live == 2);
  CHECK(house.monitor.lineage().get(kInit.id) == nullptr);  // unwatched strangers stay strangers
}

TEST_CASE("reconcile: an unwatched ancestor's end is noted without a word") {
  Monitored house;
  const std::uint32_t slot = house.begin(100);
  house.enrolled(slot, kAgent, {living(kInit), living(kAgent, slot)});
  CHECK(reconcile(house, 9'000, {living(kAgent, slot)}).events.empty());
  CHECK(house.monitor.lineage().get(kInit.id)->exit == kExitLost);
  CHECK(house.monitor.repairs().reconciled_lost_exits == 0);
}

TEST_CASE("reconcile: an exit that waits for its enrolment is not lost") {
  Monitored house;
  const std::uint32_t outer = house.watch(kAgent);
  house(a_fork().of(kAgent).child(kShell).in_slot(outer));
  const std::uint32_t inner = house.begin(200);
  house(an_exit().of(kShell).code(4).in_slot(inner));
  CHECK(reconcile(house, 9'000, {living(kAgent, outer)}).events.empty());
  house.enrolled(inner, kShell, {living(kShell, inner)}, outer);
  CHECK(house.monitor.lineage().get(kShell.id)->exit == 4 << 8);
}

TEST_CASE("reconcile: a process concluded gone that speaks again lives again") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(a_fork().of(kAgent).child(kShell).in_slot(slot));
  reconcile(house, 9'000, {living(kAgent, slot)});
  house(an_exec().of(kShell.with_image(1)).in_slot(slot).at(8'999));
  CHECK_FALSE(house.monitor.lineage().get(kShell.id)->alive());  // of before
  house(an_exec().of(kShell.with_image(1)).in_slot(slot).at(9'001));
  CHECK(house.monitor.lineage().get(kShell.id)->alive());
  CHECK(house.only_target().live == 2);
  CHECK(house.only_target().processes == 2);
  house(an_exit().of(kShell).in_slot(slot).at(9'002));
  CHECK(house.only_target().live == 1);
}

TEST_CASE("reconcile: after a loss a target is not declared exited before the kernel's list agrees") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  count(house, 5'000, {row("ring-full", 1)});
  CHECK(types_of(house(an_exit().of(kAgent).in_slot(slot))) == Types{"exit"});
  CHECK(reconcile(house, 4'000, {}).events.empty());  // begun before the loss was known
  Step step = reconcile(house, 6'000, {living(kShell, slot)});
  CHECK(types_of(step) == Types{"loss"});  // the lost record was shell's fork
  step = house(an_exit().of(kShell).in_slot(slot));
  CHECK(types_of(step) == Types{"exit", "target:exited"});
}

TEST_CASE("reconcile: after a loss, a target with nobody left exits when the list says so") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  count(house, 5'000, {row("ring-full", 1)});
  house(an_exit().of(kAgent).in_slot(slot));
  CHECK(types_of(reconcile(house, 6'000, {})) == Types{"target:exited"});
}

TEST_CASE("time: an idle daemon waits for nothing") {
  Monitored house;
  CHECK_FALSE(house.monitor.next_deadline());
  CHECK(house.monitor.on_time(1'000 * kSecond).plans.empty());
}

TEST_CASE("time: while a target runs the kernel is asked every minute") {
  Monitored house;
  house.watch(kAgent);
  REQUIRE(house.monitor.next_deadline() == house.now + 60 * kSecond);
  CHECK(house.monitor.on_time(house.now + 60 * kSecond - 1).plans.empty());
  CHECK(plans_of<ReconcilePlan>(house.monitor.on_time(house.now + 60 * kSecond)).size() == 1);
  CHECK(house.monitor.next_deadline() == house.now + 120 * kSecond);
}

TEST_CASE("time: some seconds after the last target the programs rest, unless one comes back") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house.stop("100");
  house.released(slot);
  const std::uint64_t rest = house.now + 5 * kSecond;
  REQUIRE(house.monitor.next_deadline() == rest);
  CHECK(house.monitor.on_time(rest - 1).plans.empty());
  CHECK(plans_of<StandbyPlan>(house.ask(100)).empty());  // still awake
  CHECK(house.monitor.on_time(rest).plans.empty());
  Enrolled refused;
  refused.slot = 2u | 1u << 8;
  refused.boot_ns = rest;
  refused.refusal = Refusal{Fault::no_such_process, "gone"};
  house.monitor.complete(refused);
  const Step step = house.monitor.on_time(rest + 5 * kSecond);
  REQUIRE(plans_of<StandbyPlan>(step).size() == 1);
  CHECK_FALSE(plans_of<StandbyPlan>(step)[0].watching);
  CHECK(plans_of<StandbyPlan>(house.ask(100)).size() == 1);
}

TEST_CASE("time: what exited is forgotten after its time, in batches, and then there is peace") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(a_fork().of(kAgent).child(kShell).in_slot(slot));
  house(an_exit().of(kShell).in_slot(slot).at(kSecond));
  house(an_exit().of(kAgent).in_slot(slot).at(2 * kSecond));
  house.released(slot);
  std::uint64_t last = 0;
  int wakes = 0;
  while (const auto next = house.monitor.next_deadline()) {
    REQUIRE(*next >= last);
    last = *next;
    REQUIRE(++wakes < 10);
    house.monitor.on_time(*next);
  }
  CHECK(house.monitor.lineage().size() == 0);
  CHECK(last < 3'700 * kSecond);
}

TEST_CASE("time: long after the last target nobody is called alive on trust") {
  Monitored house;
  const std::uint32_t slot = house.begin(100);
  house.enrolled(slot, kAgent, {living(kInit), living(kAgent, slot)});
  house.stop("100");
  house.released(slot);
  house.monitor.on_time(house.now + 10 * kSecond);
  CHECK(house.monitor.lineage().living() == 2);
  REQUIRE(house.monitor.next_deadline() == house.now + 3'600 * kSecond);
  house.monitor.on_time(*house.monitor.next_deadline());
  CHECK(house.monitor.lineage().size() == 0);
  CHECK_FALSE(house.monitor.next_deadline());
}

TEST_CASE("probes: a state is told when it changes, and a program that stops working is an alert") {
  Monitored house;
  CHECK(types_of(house.monitor.on_probe(probe(ProbeState::attached))) == Types{"probe"});
  CHECK(house.monitor.on_probe(probe(ProbeState::attached)).events.empty());
  const Step step = house.monitor.on_probe(probe(ProbeState::failed, "detached by somebody"));
  CHECK(types_of(step) == Types{"probe", "alert"});
  CHECK(bodies_of<AlertBody>(step)[0].kind == "probe-lost");
  CHECK(bodies_of<AlertBody>(step)[0].summary.find("detached by somebody") != std::string::npos);
  REQUIRE(house.monitor.probes().size() == 1);
  CHECK(house.monitor.probes()[0].state == ProbeState::failed);
  CHECK(types_of(house.monitor.on_probe(probe(ProbeState::degraded))) == Types{"probe"});
}

TEST_CASE("probes: a program that never worked, or rests, is no alert") {
  Monitored house;
  CHECK(types_of(house.monitor.on_probe(probe(ProbeState::failed))) == Types{"probe"});
  house.monitor.on_probe(probe(ProbeState::attached));
  CHECK(types_of(house.monitor.on_probe(probe(ProbeState::standby))) == Types{"probe"});
}
