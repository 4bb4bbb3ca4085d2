// Monitor: the life of a target: asked for, enrolled, nested, exited, stopped.
#include "state/monitor.h"
#include "support/monitored.h"

using namespace aa;
using namespace aa::test;

namespace {

using Types = std::vector<std::string>;

const Target& target_named(const Monitored& house, std::string_view name) {
  const auto found = house.monitor.resolve_target(name);
  REQUIRE(std::holds_alternative<const Target*>(found));
  return *std::get<const Target*>(found);
}

std::uint32_t key_of(const Monitored& house, const ProcessRef& who) {
  return house.monitor.lineage().get(who.id)->target;
}

// agent > shell > tool in "outer", then shell with tool enrolled again as "inner".
struct Nested : Monitored {
  Nested() {
    outer = watch(kAgent, "outer");
    (*this)(a_fork().of(kAgent).child(kShell).in_slot(outer));
    (*this)(a_fork().of(kShell).child(kTool).in_slot(outer));
    const Step step = ask(kShell.id.pid, "inner");
    plan = plans_of<EnrolPlan>(step).at(0);
    inner = plan.slot;
    enrolled(inner, kShell, {living(kShell, inner), living(kTool, inner)}, outer);
  }
  std::uint32_t outer = 0;
  std::uint32_t inner = 0;
  EnrolPlan plan;
};

}  // namespace

TEST_CASE("start: the plan names the pid, a fresh slot and the share; sleeping programs wake before it") {
  Monitored house;
  const Step step = house.ask(100, "claude");
  REQUIRE(step.plans.size() == 2);
  CHECK(std::get<StandbyPlan>(step.plans[0]).watching);
  const auto& plan = std::get<EnrolPlan>(step.plans[1]);
  CHECK(plan.pid == 100);
  CHECK(plan.token == 7);
  CHECK((plan.slot & 0xff) != 0);
  CHECK(plan.limit == 32'768);
  CHECK(plan.members.empty());
  CHECK(step.answers.empty());
  CHECK(plans_of<StandbyPlan>(house.ask(101)).empty());
}

TEST_CASE("start: pid 0 and a bad name are refused at once, and change nothing") {
  Monitored house;
  CHECK(fault_of(house.ask(0)) == Fault::invalid_argument);
  CHECK(fault_of(house.ask(100, "4242")) == Fault::invalid_argument);
  CHECK(house.ask(0).plans.empty());
  CHECK_FALSE(house.monitor.next_deadline());
}

TEST_CASE("start: without a free slot the limit is named") {
  Monitored house;
  for (std::uint32_t n = 1; n <= 255; ++n) house.begin(n);
  CHECK(fault_of(house.ask(256)) == Fault::limit_reached);
}

TEST_CASE("start: nobody is answered who did not ask") {
  Monitored house;
  CHECK(house.ask(0, "", 0).answers.empty());
}

TEST_CASE("enrolled: the target is told, counted and answered with its id") {
  Monitored house;
  const std::uint32_t slot = house.begin(100, "claude");
  const Step step = house.enrolled(
      slot, kAgent, {living(kInit), living(kAgent, slot, true), living(kShell, slot, true), living(kTool, slot, true)});
  CHECK(types_of(step) == Types{"target:added"});
  CHECK(bodies_of<TargetBody>(step)[0].adopted == 2);  // the root is not adopted
  const Target& target = house.only_target();
  CHECK(text_of(step) == target.id);
  CHECK(step.events[0].target->id == target.id);
  CHECK(target.id == target_id(Monitored::settings().boot_id, kAgent.id));
  CHECK(target.name == "claude");
  CHECK(target.live == 3);
  CHECK(target.adopted == 2);
  CHECK(target.started_boot_ns == house.now);
  CHECK(house.monitor.tree(target).size() == 3);
  CHECK_FALSE(house.monitor.lineage().get(kInit.id)->watched);
  CHECK(house.monitor.lineage().is_descendant_of(kTool.id, kInit.id));
}

TEST_CASE("enrolled: a target without a name takes its root's, unless that is none") {
  Monitored house;
  house.watch(kAgent);
  CHECK(house.only_target().name == "agent");
  Monitored other;
  other.watch(a_process(100, 1'000, "12345"));
  CHECK(other.only_target().name == "pid-100");
}

TEST_CASE("enrolled: records that came before wait, then follow the target's own event") {
  Monitored house;
  const std::uint32_t slot = house.begin(100);
  CHECK(house(an_adoption().of(kTool).in_slot(slot)).events.empty());
  CHECK(house(a_fork().of(kShell).child(a_process(301, 3'100)).in_slot(slot)).events.empty());
  CHECK(house(an_exit().of(kTool).in_slot(slot)).events.empty());
  CHECK(house.monitor.consumed_records() == 3);
  const Step step = house.enrolled(slot, kAgent, {living(kAgent, slot, true), living(kShell, slot, true)});
  CHECK(types_of(step) == Types{"target:added", "fork", "exit"});
  CHECK(bodies_of<TargetBody>(step)[0].adopted == 2);  // shell by the list, tool by its record alone
  for (const Event& event : step.events) CHECK(event.target->name == "agent");
  CHECK(house.only_target().live == 3);
  CHECK(house.only_target().adopted == 2);
}

TEST_CASE("enrolled: a root that ended meanwhile is a target that exits at once") {
  Monitored house;
  const std::uint32_t slot = house.begin(100);
  house(an_exit().of(kAgent).in_slot(slot));
  const Step step = house.enrolled(slot, kAgent, {living(kAgent, slot, true)});
  CHECK(types_of(step) == Types{"target:added", "exit", "target:exited"});
  CHECK(plans_of<ReleasePlan>(step).size() == 1);
}

TEST_CASE("enrolled: what was adopted and is told of late is counted with the next change") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  CHECK(house(an_adoption().of(kShell).in_slot(slot)).events.empty());
  const Step step = house.monitor.complete(Adopted{slot, 5'000, {living(kShell, slot, true)}});
  CHECK(types_of(step) == Types{"target:adopted"});
  CHECK(bodies_of<TargetBody>(step)[0].adopted == 1);
  CHECK(house.only_target().adopted == 1);
}

TEST_CASE("enrolled: a refusal is passed on and frees the slot") {
  Monitored house;
  for (std::uint32_t n = 1; n <= 254; ++n) house.begin(n);
  Enrolled done;
  done.slot = house.begin(255);
  done.refusal = Refusal{Fault::no_such_process, "there is no process 255"};
  CHECK(fault_of(house.monitor.complete(done)) == Fault::no_such_process);
  CHECK(house.monitor.targets().empty());
  house.begin(256);
}

TEST_CASE("enrolled: a root watched already answers with the target there is") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  Enrolled done;
  done.slot = house.begin(100);
  done.already = slot;
  const Step step = house.monitor.complete(done);
  CHECK(text_of(step) == house.only_target().id);
  CHECK(step.events.empty());
}

TEST_CASE("enrolled: a root stopped and watched again is the same target by id") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  const std::string id = house.only_target().id;
  house.stop("100");
  house.released(slot);
  CHECK(house.monitor.targets().empty());
  house.watch(kAgent);
  CHECK(house.only_target().id == id);
  CHECK(house.only_target().live == 1);
}

TEST_CASE("nested: the plan names the members known, the processes move, the outer's counts follow") {
  Nested house;
  CHECK(house.plan.members == std::vector<ProcessId>{kTool.id});
  const Target& outer = target_named(house, "outer");
  const Target& inner = target_named(house, "inner");
  CHECK(outer.live == 1);
  CHECK(inner.live == 2);
  CHECK(inner.outer == outer.key);
  CHECK(key_of(house, kTool) == inner.key);
  CHECK(key_of(house, kAgent) == outer.key);
}

TEST_CASE("nested: the outer target's path rules hold for the inner one too, not the other way round") {
  Nested house;
  house.monitor.on_probe(a_file_probe(ProbeState::attached));
  PathRule rule;
  rule.pattern = "/srv/x";
  rule.target = "outer";
  SetPathRules command;
  command.token = 9;
  command.rules = {rule};
  command.rules.push_back(rule);
  command.rules[1].pattern = "/srv/y";
  command.rules[1].target = "inner";
  const std::uint64_t generation = plans_of<RulesPlan>(house.monitor.apply(command))[0].rules->generation();
  house.monitor.complete(RulesInForce{9, house.now, generation, std::nullopt});
  const auto verdict = [&](const ProcessRef& who, std::uint32_t slot, const char* path) {
    Event event;
    event.boot_ns = house.now;
    event.slot = slot;
    event.process = who;
    FileBody body;
    body.at.path = path;
    body.generation = generation;
    body.resolution = Resolution::kernel;
    event.body = body;
    return bodies_of<FileBody>(house(event)).at(0).verdict;
  };
  CHECK(verdict(kTool, house.inner, "/srv/x") == Verdict::deny);
  CHECK(verdict(kAgent, house.outer, "/srv/x") == Verdict::deny);
  CHECK(verdict(kTool, house.inner, "/srv/y") == Verdict::deny);
  CHECK(verdict(kAgent, house.outer, "/srv/y") == Verdict::none);
}

TEST_CASE("nested: a record of before the move goes out as the outer's and moves nobody back") {
  Nested house;
  const Step step = house(an_exec().of(kTool.with_image(1)).in_slot(house.outer));
  CHECK(step.events[0].target->name == "outer");
  CHECK(key_of(house, kTool) == target_named(house, "inner").key);
}

TEST_CASE("nested: stopping the inner one returns its subtree to the outer") {
  Nested house;
  const std::uint32_t outer_key = target_named(house, "outer").key;
  const auto plans = plans_of<ReleasePlan>(house.stop("inner"));
  REQUIRE(plans.size() == 1);
  CHECK(plans[0].return_to == house.outer);
  const Step step = house.released(house.inner, house.outer);
  CHECK(types_of(step) == Types{"target:removed"});
  CHECK(text_of(step).empty());
  CHECK(key_of(house, kTool) == outer_key);
  CHECK(target_named(house, "outer").live == 3);
  CHECK(house.monitor.lineage().get(kTool.id)->watched);
}

TEST_CASE("nested: an outer target that came later gets the subtree of the inner one too") {
  Monitored house;
  const std::uint32_t inner = house.begin(kShell.id.pid, "inner");
  house.enrolled(inner, kShell, {living(kShell, inner), living(kTool, inner), living(kAgent)});
  const std::uint32_t outer = house.begin(kAgent.id.pid, "outer");
  house.enrolled(outer, kAgent, {living(kAgent, outer)});
  CHECK(target_named(house, "inner").outer == target_named(house, "outer").key);
  const auto plans = plans_of<ReleasePlan>(house.stop("inner"));
  REQUIRE(plans.size() == 1);
  CHECK(plans[0].return_to == outer);
  house.released(inner, outer);
  CHECK(target_named(house, "outer").live == 3);
}

TEST_CASE("nested: after the return a late record keeps its target, and its child joins the outer") {
  Nested house;
  house.stop("inner");
  house.released(house.inner, house.outer);
  const Who late = a_process(400, 4'000).child_of(kTool);
  const Step step = house(a_fork().of(kTool).child(late).in_slot(house.inner));
  CHECK(step.events[0].target->name == "inner");
  CHECK(key_of(house, late) == target_named(house, "outer").key);
  CHECK(house.monitor.lineage().get(late.id)->watched);
}

TEST_CASE("nested: the outer target is not exited while the inner one runs, then both are") {
  Nested house;
  CHECK(types_of(house(an_exit().of(kAgent).in_slot(house.outer))) == Types{"exit"});
  house(an_exit().of(kShell).in_slot(house.inner));
  const Step step = house(an_exit().of(kTool).in_slot(house.inner));
  CHECK(types_of(step) == Types{"exit", "target:exited", "target:exited"});
  CHECK(step.events[1].target->name == "inner");
  CHECK(step.events[2].target->name == "outer");
  CHECK(plans_of<ReleasePlan>(step).size() == 2);
}

TEST_CASE("nested: stopping the outer lets only its own go") {
  Nested house;
  house.stop("outer");
  house.released(house.outer);
  CHECK_FALSE(house.monitor.lineage().get(kAgent.id)->watched);
  CHECK(target_named(house, "inner").outer == 0);
  CHECK(target_named(house, "inner").live == 2);
}

TEST_CASE("nested: the inner one, stopped while the outer is being released, returns to nobody") {
  Nested house;
  house.stop("outer");
  CHECK_FALSE(plans_of<ReleasePlan>(house.stop("inner")).at(0).return_to);
}

TEST_CASE("exited: the last process gone, the target says so, frees its slot and is remembered") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(a_fork().of(kAgent).child(kShell).in_slot(slot));
  CHECK(types_of(house(an_exit().of(kAgent).in_slot(slot))) == Types{"exit"});
  const Step step = house(an_exit().of(kShell).in_slot(slot).at(9'000));
  CHECK(types_of(step) == Types{"exit", "target:exited"});
  const auto plans = plans_of<ReleasePlan>(step);
  REQUIRE(plans.size() == 1);
  CHECK(plans[0].slot == slot);
  CHECK(plans[0].token == 0);
  CHECK_FALSE(house.only_target().running);
  CHECK(house.only_target().ended_boot_ns == 9'000);
  CHECK(house.monitor.tree(house.only_target()).size() == 2);
  CHECK(house.released(slot).events.empty());
  CHECK(types_of(house(an_exec().of(kShell).in_slot(slot))) == Types{"exec"});
  CHECK(house.only_target().live == 0);
}

TEST_CASE("exited: only so many targets are remembered, the oldest go") {
  Monitor::Settings settings = Monitored::settings();
  settings.keep_exited_targets = 2;
  Monitored house(settings);
  for (std::uint32_t n = 1; n <= 4; ++n) {
    const Who root = a_process(100 + n, n, "root");
    const std::uint32_t slot = house.watch(root);
    house(an_exit().of(root).in_slot(slot).at(1'000 + n));
    house.released(slot);
  }
  REQUIRE(house.monitor.targets().size() == 2);
  CHECK(house.monitor.targets()[0]->root.pid == 103);
  CHECK(house.monitor.targets()[1]->root.pid == 104);
}

TEST_CASE("stop: the kernel is told first; what was let go stays known but unwatched") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent, "claude");
  house(a_fork().of(kAgent).child(kShell).in_slot(slot));
  Step step = house.stop("claude");
  CHECK(step.answers.empty());
  CHECK(step.events.empty());
  REQUIRE(plans_of<ReleasePlan>(step).size() == 1);
  CHECK(plans_of<ReleasePlan>(step)[0].token == 8);
  step = house.released(slot);
  CHECK(types_of(step) == Types{"target:removed"});
  CHECK(text_of(step).empty());
  CHECK(house.monitor.targets().empty());
  const Process* shell = house.monitor.lineage().get(kShell.id);
  CHECK(shell->alive());
  CHECK_FALSE(shell->watched);
  CHECK(shell->target == 0);
}

TEST_CASE("stop: records of before the release still go out as that target's") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent, "claude");
  house.stop("claude");
  house.released(slot);
  const Step step = house(an_exit().of(kAgent).in_slot(slot));
  REQUIRE(types_of(step) == Types{"exit"});
  CHECK(step.events[0].target->name == "claude");
  CHECK_FALSE(house.monitor.lineage().get(kAgent.id)->alive());
}

TEST_CASE("stop: two who ask are both answered by one release") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house.stop("100", 8);
  CHECK(house.stop("100", 9).plans.empty());
  const Step step = house.released(slot);
  REQUIRE(step.answers.size() == 2);
  CHECK(step.answers[0].token == 8);
  CHECK(step.answers[1].token == 9);
  CHECK(types_of(step) == Types{"target:removed"});
}

TEST_CASE("stop: the last exit during a release is not announced twice") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house.stop("100");
  CHECK(types_of(house(an_exit().of(kAgent).in_slot(slot))) == Types{"exit"});
  CHECK(types_of(house.released(slot)) == Types{"target:removed"});
}

TEST_CASE("stop: an exited target is forgotten at once") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(an_exit().of(kAgent).in_slot(slot));
  const Step step = house.stop("agent");
  CHECK(types_of(step) == Types{"target:removed"});
  CHECK(text_of(step).empty());
  CHECK(step.plans.empty());
  CHECK(house.monitor.targets().empty());
}

TEST_CASE("stop: what nobody is called is no target; what two are called is named with both ids") {
  Monitored house;
  CHECK(fault_of(house.stop("nobody")) == Fault::no_such_target);
  CHECK(fault_of(house.stop("100")) == Fault::no_such_target);
  CHECK(fault_of(house.stop("")) == Fault::no_such_target);
  house.watch(kAgent, "twin");
  house.watch(kShell, "twin");
  const Step step = house.stop("twin");
  CHECK(fault_of(step) == Fault::invalid_argument);
  for (const Target* target : house.monitor.targets()) {
    CHECK(std::get<Refusal>(step.answers[0].outcome).sentence.find(target->id) != std::string::npos);
  }
  CHECK(plans_of<ReleasePlan>(house.stop("200")).size() == 1);
}

TEST_CASE("resolve: of two with one name the only running one is meant") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent, "job");
  house(an_exit().of(kAgent).in_slot(slot));
  house.watch(kShell, "job");
  CHECK(target_named(house, "job").root == kShell.id);
  CHECK(target_named(house, "100").root == kAgent.id);
  CHECK(target_named(house, target_id(Monitored::settings().boot_id, kAgent.id)).root == kAgent.id);
}

TEST_CASE("targets: running ones come first, each in order of enrolment") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house.watch(kShell);
  house.watch(kTool);
  house(an_exit().of(kAgent).in_slot(slot));
  std::vector<std::uint32_t> pids;
  for (const Target* target : house.monitor.targets()) pids.push_back(target->root.pid);
  CHECK(pids == std::vector<std::uint32_t>{200, 300, 100});
  CHECK(house.monitor.target(1)->root == kAgent.id);
  CHECK(house.monitor.target(99) == nullptr);
}
