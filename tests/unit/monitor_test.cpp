// Monitor: what a record does to lineage, and how an event leaves.
#include "state/monitor.h"

#include "support/monitored.h"

using namespace aa;
using namespace aa::test;

TEST_CASE("monitor: an event leaves with number, wall time and target") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent, "claude");
  const Step step = house(a_fork().of(kAgent).child(kShell).in_slot(slot).at(5'000));
  REQUIRE(step.events.size() == 1);
  const Event& event = step.events[0];
  CHECK(event.seq == 2);  // after "added"
  CHECK(event.wall_ns == 1'000'000'005'000);
  REQUIRE(event.target);
  CHECK(event.target->name == "claude");
  CHECK(event.target->id == house.only_target().id);
  CHECK(house.only_target().events == 2);
}

TEST_CASE("monitor: a fork brings the child into lineage with its parent's text and image") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(an_exec().of(kAgent.with_image(1)).exe("/bin/agent").argv({"agent", "-x"}).cwd("/w").in_slot(slot));
  house(a_fork().of(kAgent.with_image(1)).child(kShell).in_slot(slot));
  const Process* child = house.monitor.lineage().get(kShell.id);
  REQUIRE(child != nullptr);
  CHECK(child->parent == kAgent.id);
  CHECK(child->watched);
  CHECK(child->alive());
  CHECK(child->image == 1);
  CHECK(child->text == house.monitor.lineage().get(kAgent.id)->text);
  CHECK(child->text->argv == std::vector<std::string>{"agent", "-x"});
  CHECK(child->exec_ns == 0);
  CHECK(house.only_target().live == 2);
  CHECK(house.only_target().processes == 2);
}

TEST_CASE("monitor: exe belongs to the record's image, not to what the process has become") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(an_exec().of(kAgent.with_image(1)).exe("/bin/one").in_slot(slot));
  Step step = house(a_fork().of(kAgent.with_image(1)).child(kShell).in_slot(slot));
  CHECK(step.events[0].process->exe == "/bin/one");
  house(an_exec().of(kAgent.with_image(2)).exe("/bin/two").in_slot(slot));
  step = house(a_fork().of(kAgent.with_image(1)).child(kTool).in_slot(slot));
  CHECK(step.events[0].process->exe.empty());
  step = house(an_exit().of(kAgent.with_image(2)).in_slot(slot));
  CHECK(step.events[0].process->exe == "/bin/two");
}

TEST_CASE("monitor: a late exec record of an older image does not overwrite the newer one") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(an_exec().of(kAgent.with_image(3)).exe("/bin/new").in_slot(slot));
  const Step step = house(an_exec().of(kAgent.with_image(2)).exe("/bin/old").in_slot(slot));
  CHECK(step.events[0].process->exe == "/bin/old");
  CHECK(house.monitor.lineage().get(kAgent.id)->text->exe == "/bin/new");
  CHECK(house.monitor.lineage().get(kAgent.id)->image == 3);
}

TEST_CASE("monitor: text seen at enrolment gives way to the first exec record") {
  Monitored house;
  const std::uint32_t slot = house.begin(kAgent.id.pid);
  house.enrolled(slot, kAgent, {with_text(living(kAgent, slot), "/proc/said", {"p"})});
  Step step = house(a_fork().of(kAgent).child(kShell).in_slot(slot));
  CHECK(step.events[0].process->exe == "/proc/said");
  house(an_exec().of(kAgent.with_image(1)).exe("/bin/exec").in_slot(slot));
  CHECK(house.monitor.lineage().get(kAgent.id)->text->exe == "/bin/exec");
}

TEST_CASE("monitor: when an exec record was lost the old text is not passed off as the new image's") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(an_exec().of(kAgent.with_image(1)).exe("/bin/one").in_slot(slot));
  const Step step = house(an_exit().of(kAgent.with_image(2)).in_slot(slot));
  CHECK(step.events[0].process->exe.empty());
  CHECK(house.monitor.lineage().get(kAgent.id)->text == nullptr);
}

TEST_CASE("monitor: a failed exec is an event and changes nothing in lineage") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(an_exec().of(kAgent.with_image(1)).exe("/bin/agent").argv({"agent"}).in_slot(slot).at(10));
  const Step step = house(an_exec().of(kAgent.with_image(1)).argv({"nope"}).failed_with(2).in_slot(slot).at(20));
  CHECK(bodies_of<ExecBody>(step)[0].result == -2);
  CHECK(step.events[0].process->exe == "/bin/agent");
  const Process* agent = house.monitor.lineage().get(kAgent.id);
  CHECK(agent->text->argv == std::vector<std::string>{"agent"});
  CHECK(agent->exec_ns == 10);
}

TEST_CASE("monitor: remembered argv is capped, the event's is not") {
  Monitor::Settings settings = Monitored::settings();
  settings.texts.argv_bytes = 10;
  Monitored house(settings);
  const std::uint32_t slot = house.watch(kAgent);
  const Step step = house(an_exec().of(kAgent.with_image(1)).argv({"abcd", "efghijkl", "m"}).in_slot(slot));
  CHECK(bodies_of<ExecBody>(step)[0].argv.size() == 3);
  const ProcessText& text = *house.monitor.lineage().get(kAgent.id)->text;
  CHECK(text.argv == std::vector<std::string>{"abcd", "efghi"});
  CHECK(text.argv_truncated);
}

TEST_CASE("monitor: an exit marks the process, tells its run time and lowers the target's living") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(a_fork().of(kAgent).child(kShell).in_slot(slot));
  Event exit = an_exit().of(kShell).code(3).in_slot(slot).at(9'000);
  std::get<ExitBody>(exit.body).runtime_ns = 0;
  const Step step = house(exit);
  CHECK(bodies_of<ExitBody>(step)[0].runtime_ns == 7'000);
  const Process* shell = house.monitor.lineage().get(kShell.id);
  CHECK(shell->exit == 3 << 8);
  CHECK(shell->exit_ns == 9'000);
  CHECK(house.only_target().live == 1);
}

TEST_CASE("monitor: a process nobody introduced is made from its record's own header") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(an_exec().of(kTool.with_image(1)).exe("/bin/tool").in_slot(slot));
  const Process* tool = house.monitor.lineage().get(kTool.id);
  REQUIRE(tool != nullptr);
  CHECK(tool->parent == kShell.id);
  CHECK(tool->watched);
  CHECK(std::string(tool->comm) == "tool");
  CHECK(house.only_target().live == 2);
}

TEST_CASE("monitor: a lost fork and a later fork record agree about the parent") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(an_exec().of(kTool.with_image(1)).exe("/bin/tool").in_slot(slot));
  house(a_fork().of(kShell).child(kTool).in_slot(slot));
  const Lineage& lineage = house.monitor.lineage();
  CHECK(lineage.is_descendant_of(kTool.id, kAgent.id));
  CHECK(lineage.get(kTool.id)->text->exe == "/bin/tool");
  CHECK(house.only_target().processes == 3);
}

TEST_CASE("monitor: a refused child is a fork event, and known, but not watched") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  const Step step = house(a_refusal().of(kAgent).child(kShell).in_slot(slot));
  CHECK(types_of(step) == std::vector<std::string>{"fork"});
  CHECK(bodies_of<ForkBody>(step)[0].child == kShell.id);
  CHECK_FALSE(house.monitor.lineage().get(kShell.id)->watched);
  CHECK(house.monitor.lineage().is_descendant_of(kShell.id, kAgent.id));
  CHECK(house.only_target().live == 1);
}

TEST_CASE("monitor: every record counts as consumed, every event as delivered") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(a_fork().of(kAgent).child(kShell).in_slot(slot));
  house(a_refusal().of(kAgent).child(kTool).in_slot(slot));
  house(an_adoption().of(kTool).in_slot(slot));
  house(an_exec().of(kShell).in_slot(0));  // the self-test's
  CHECK(house.monitor.consumed_records() == 4);
  CHECK(house.monitor.delivered() == 3);  // added, fork, fork
}

TEST_CASE("monitor: the self-test's records leave no trace") {
  Monitored house;
  house.watch(kAgent);
  CHECK(house(an_exec().of(kShell).in_slot(0)).events.empty());
  CHECK(house.monitor.lineage().get(kShell.id) == nullptr);
}

TEST_CASE("monitor: an exec by another pid's new holder ends the old one as lost and says so") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  house(a_fork().of(kAgent).child(kShell).in_slot(slot));
  const Who again = a_process(kShell.id.pid, 8'000).child_of(kAgent);
  const Step step = house(a_fork().of(kAgent).child(again).in_slot(slot).at(8'001));
  CHECK(types_of(step) == std::vector<std::string>{"loss", "fork"});
  CHECK(bodies_of<LossBody>(step)[0].cause == "exit-lost");
  CHECK(house.monitor.lineage().get(kShell.id)->exit == kExitLost);
  CHECK(house.only_target().live == 2);
}

TEST_CASE("monitor: a cgroup path is shared by those who have it") {
  Monitored house;
  const std::uint32_t slot = house.watch(kAgent);
  Who agent = kAgent;
  agent.cgroup = "/user.slice/a.scope";
  house(a_fork().of(agent).child(kShell).in_slot(slot));
  Who shell = kShell;
  shell.cgroup = agent.cgroup;
  house(an_exec().of(shell).in_slot(slot));
  const Lineage& lineage = house.monitor.lineage();
  CHECK(*lineage.get(kShell.id)->cgroup == "/user.slice/a.scope");
  CHECK(lineage.get(kShell.id)->cgroup == lineage.get(kAgent.id)->cgroup);
}

TEST_CASE("monitor: too many exited processes are forgotten as the next record comes") {
  Monitor::Settings settings = Monitored::settings();
  settings.policy.keep_exited_count = 2;
  Monitored house(settings);
  const std::uint32_t slot = house.watch(kAgent);
  for (std::uint32_t n = 0; n < 5; ++n) {
    const Who child = a_process(500 + n, 5'000 + n).child_of(kAgent);
    house(a_fork().of(kAgent).child(child).in_slot(slot));
    house(an_exit().of(child).in_slot(slot));
  }
  CHECK(house.monitor.lineage().size() == 3);
}

TEST_CASE("monitor: memory for text is bounded: the oldest exited go first, then new argv is kept short") {
  Monitor::Settings settings = Monitored::settings();
  settings.texts.total_bytes = 300'000;
  Monitored house(settings);
  const std::uint32_t slot = house.watch(kAgent);
  const std::string big(60'000, 'x');
  for (std::uint32_t n = 0; n < 20; ++n) {
    const Who child = a_process(500 + n, 5'000 + n).child_of(kAgent);
    house(a_fork().of(kAgent).child(child).in_slot(slot));
    house(an_exec().of(child).argv({"child", big}).in_slot(slot));
    house(an_exit().of(child).in_slot(slot));
  }
  const Lineage& lineage = house.monitor.lineage();
  CHECK(lineage.by_pid(519) != nullptr);
  CHECK(lineage.by_pid(500) == nullptr);
  CHECK(lineage.size() < 8);
  Who living;
  for (std::uint32_t n = 0; n < 20; ++n) {
    living = a_process(600 + n, 6'000 + n).child_of(kAgent);
    house(a_fork().of(kAgent).child(living).in_slot(slot));
    const Step step = house(an_exec().of(living).argv({"child", big}).in_slot(slot));
    CHECK(bodies_of<ExecBody>(step)[0].argv[1] == big);
  }
  const ProcessText& text = *lineage.get(living.id)->text;
  CHECK(text.argv[1].size() < TextBudget::kShortBytes);
  CHECK(text.argv_truncated);
}

TEST_CASE("monitor: an event made by the daemon itself passes, numbered, without a target") {
  Monitored house;
  Event gap;
  gap.boot_ns = 5;
  gap.body = GapBody{1, 5, "the daemon was not running"};
  const Step step = house(gap);
  REQUIRE(step.events.size() == 1);
  CHECK(step.events[0].seq == 1);
  CHECK_FALSE(step.events[0].target);
  CHECK(house.monitor.consumed_records() == 0);
}
