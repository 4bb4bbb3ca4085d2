// Monitor: targets that are systemd units.
#include "state/input.h"
#include "support/monitored.h"

using namespace aa;
using namespace aa::test;

namespace {

const Who kHelper = a_process(300, 3'000, "tool").child_of(kAgent);

Command unit(std::string name, std::string as = "") {
  StartMonitoringUnit command;
  command.token = 7;
  command.unit = std::move(name);
  command.cgroup = "/system.slice/" + command.unit;
  command.name = std::move(as);
  command.owner_uid = 1000;
  return command;
}

struct UnitHouse : Monitored {
  std::uint32_t begin_unit(std::string name, std::string as = "") {
    const Step step = monitor.apply(unit(std::move(name), std::move(as)));
    REQUIRE(plans_of<EnrolUnitPlan>(step).size() == 1);
    return plans_of<EnrolUnitPlan>(step)[0].slot;
  }
  std::uint32_t watch_unit(std::string name, std::vector<LivingProcess> processes = {}) {
    const std::uint32_t slot = begin_unit(std::move(name));
    for (LivingProcess& process : processes) {
      process.slot = slot;
      process.watched = process.adopted = true;
    }
    enrolled(slot, ProcessRef{}, std::move(processes));
    return slot;
  }
};

}  // namespace

TEST_CASE("units: the plan names the unit, its control group, a fresh slot and the share, and wakes what sleeps") {
  UnitHouse house;
  const Step step = house.monitor.apply(unit("agent.service"));
  REQUIRE(step.plans.size() == 2);
  CHECK(std::get<StandbyPlan>(step.plans[0]).watching);
  const auto& plan = std::get<EnrolUnitPlan>(step.plans[1]);
  CHECK(plan.token == 7);
  CHECK(plan.unit == "agent.service");
  CHECK(plan.cgroup == "/system.slice/agent.service");
  CHECK((plan.slot & 0xff) != 0);
  CHECK(plan.limit == 32'768);
}

TEST_CASE("units: a bad name is refused at once") {
  UnitHouse house;
  CHECK(fault_of(house.monitor.apply(unit("agent.service", "123"))) == Fault::invalid_argument);
}

TEST_CASE("units: a target without a root, called as the unit; everybody in it was adopted") {
  UnitHouse house;
  const std::uint32_t slot = house.begin_unit("agent.service");
  const Step step =
      house.enrolled(slot, ProcessRef{}, {living(kAgent, slot, true), living(kHelper, slot, true), living(kInit)});
  const Target& target = house.only_target();
  CHECK(text_of(step) == target.id);
  CHECK(target.name == "agent.service");
  CHECK(target.unit == "agent.service");
  CHECK_FALSE(target.root);
  CHECK(target.live == 2);
  CHECK(target.adopted == 2);
  CHECK(target.owner_uid == 1000);
  CHECK(house.monitor.lineage().get(kInit.id) != nullptr);
}

TEST_CASE("units: the id is the unit's, the same however often it is asked for") {
  UnitHouse house;
  const std::uint32_t slot = house.watch_unit("agent.service");
  const std::string id = house.only_target().id;
  CHECK(id != target_id(Monitored::settings().boot_id, ProcessId{}));
  Enrolled again;
  again.token = 7;
  again.slot = house.begin_unit("agent.service");
  again.already = slot;
  CHECK(text_of(house.monitor.complete(again)) == id);
  CHECK(house.monitor.targets().size() == 1);
  house.stop(id);
  house.released(slot);
  house.watch_unit("agent.service");
  CHECK(house.only_target().id == id);
}

TEST_CASE("units: a name too long for a target's is replaced, not cut") {
  UnitHouse house;
  house.watch_unit(std::string(200, 'a') + ".service");
  CHECK(house.only_target().name == "unit-1");
}

TEST_CASE("units: the last process's end does not end it; stopping does") {
  UnitHouse house;
  const std::uint32_t slot = house.watch_unit("agent.service", {living(kAgent)});
  const Step step = house(an_exit().of(kAgent).in_slot(slot).at(4'000'000));
  CHECK(types_of(step) == std::vector<std::string>{"exit"});
  CHECK(house.only_target().live == 0);
  CHECK(house.only_target().running);
  house(Event(an_adoption().of(kHelper).in_slot(slot)));
  CHECK(house.only_target().live == 1);
  CHECK(plans_of<ReleasePlan>(house.stop("agent.service")).size() == 1);
  CHECK(types_of(house.released(slot)).back() == "target:removed");
  CHECK(house.monitor.targets().empty());
}

TEST_CASE("units: no pid means one, not even 0") {
  UnitHouse house;
  house.watch_unit("agent.service");
  CHECK(fault_of(house.stop("0")) == Fault::no_such_target);
}

TEST_CASE("units: a refused one leaves nothing, and its slot is free again") {
  UnitHouse house;
  Enrolled done;
  done.token = 7;
  done.slot = house.begin_unit("agent.service");
  done.refusal = Refusal{Fault::not_supported, "no"};
  CHECK(fault_of(house.monitor.complete(done)) == Fault::not_supported);
  CHECK(house.monitor.targets().empty());
}

TEST_CASE("units: whom a stopped target lets go is looked for by the units that run") {
  UnitHouse house;
  const std::uint32_t slot = house.watch(kAgent);
  const std::uint32_t in_unit = house.watch_unit("agent.service");
  house.stop("100");
  const auto plans = plans_of<AdoptPlan>(house.released(slot));
  REQUIRE(plans.size() == 1);
  CHECK(plans[0].slot == in_unit);
  Adopted adopted{in_unit, 5'000'000, {living(kAgent, in_unit, true)}};
  CHECK(types_of(house.monitor.complete(adopted)) == std::vector<std::string>{"target:adopted"});
  CHECK(house.only_target().live == 1);
}

TEST_CASE("units: a process that an inner unit takes from an outer one is the inner one's") {
  UnitHouse house;
  const std::uint32_t outer = house.watch_unit("a.slice", {living(kAgent)});
  const std::uint32_t inner = house.watch_unit("b.service");
  CHECK(house.monitor.lineage().get(kAgent.id)->target == 1);
  house(Event(an_adoption().of(kAgent).in_slot(inner)));
  CHECK(house.monitor.lineage().get(kAgent.id)->target == 2);
  CHECK(house.monitor.target(1)->live == 0);
  CHECK(house.monitor.target(2)->live == 1);
  (void)outer;
}

TEST_CASE("units: the command is an input that a capture holds") {
  const Command command = unit("agent.service", "claude");
  const std::string bytes = record_of(Input(command));
  const std::string file = capture_head() + bytes + capture_end(1);
  CaptureReader reader(file);
  REQUIRE(reader.head());
  const auto record = reader.next();
  REQUIRE(record);
  const auto input = input_of(*record);
  REQUIRE(input);
  const auto& read = std::get<StartMonitoringUnit>(std::get<Command>(*input));
  CHECK(read.token == 7);
  CHECK(read.unit == "agent.service");
  CHECK(read.cgroup == "/system.slice/agent.service");
  CHECK(read.name == "claude");
  CHECK(read.owner_uid == 1000);
}
