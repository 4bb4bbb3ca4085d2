// Discovery: the list, the full rule, and what the Monitor makes of a target that the kernel started.
#include "state/discovery.h"

#include "support/monitored.h"

using namespace aa;
using namespace aa::test;

namespace {

std::string wrong_with(const std::string& list) {
  const auto parsed = parse_agents(list);
  const auto* wrong = std::get_if<std::string>(&parsed);
  return wrong == nullptr ? "" : *wrong;
}

std::string agent(std::string filename, std::vector<std::string> argv, std::string exe = "/usr/bin/x") {
  static const std::vector<std::string> agents = {"claude", "aider", "/opt/*/bin/special"};
  ProcessRef process;
  process.exe = std::move(exe);
  ExecBody exec;
  exec.filename = std::move(filename);
  exec.argv = std::move(argv);
  return agent_of(agents, process, exec).value_or("");
}

const Who kFound = a_process(500, 5'000, "claude").with_image(1);

ExecBuilder a_discovered(std::uint32_t slot, std::string filename = "/usr/local/bin/claude") {
  return an_exec()
      .of(kFound)
      .in_slot(slot)
      .at(6'000)
      .filename(filename)
      .argv({filename, "--version"})
      .exe(filename)
      .marked([](ExecBody& body) { body.discovered = true; });
}

struct Discovering : Monitored {
  static Monitor::Settings with_agents(std::uint32_t per_uid = 16) {
    Monitor::Settings settings = Monitored::settings();
    settings.policy.agents = {"claude"};
    settings.policy.agents_per_uid = per_uid;
    return settings;
  }
  explicit Discovering(std::uint32_t per_uid = 16) : Monitored(with_agents(per_uid)) {
    spares = plans_of<SparePlan>(monitor.on_time(1'000));
  }
  std::vector<SparePlan> spares;
};

}  // namespace

TEST_CASE("discovery: a list is names and absolute paths with commas between them") {
  const auto parsed = parse_agents(" claude, /opt/*/bin/agent ,x ");
  REQUIRE(std::holds_alternative<std::vector<std::string>>(parsed));
  CHECK(std::get<0>(parsed) == std::vector<std::string>{"claude", "/opt/*/bin/agent", "x"});
  CHECK(std::get<0>(parse_agents("")).empty());
  CHECK(std::get<0>(parse_agents(kShippedAgents)).size() == 13);
}

TEST_CASE("discovery: what is wrong with a list is said") {
  std::string many = "a0";
  for (int i = 1; i < 10'000; ++i) many += ", a" + std::to_string(i);
  CHECK(wrong_with(many) == "has 10000 names; at most 256 are looked for");
  CHECK(wrong_with("a,,b") == "has an empty name; write names with one comma between them");
  CHECK(wrong_with("bin/agent") == "has \"bin/agent\", which is neither a name nor an absolute path");
  CHECK(wrong_with("/opt/agent*") ==
        "has \"/opt/agent*\", whose last part is no plain name; patterns may stand in folders only");
  CHECK_FALSE(wrong_with("/opt/").empty());
  CHECK_FALSE(wrong_with("a b").empty());
}

TEST_CASE("discovery: the program, a script, a module and a package are the agent") {
  CHECK(agent("/usr/local/bin/claude", {"claude"}) == "claude");
  CHECK(agent("/usr/local/bin/claude", {"/usr/bin/env", "/usr/local/bin/claude"}) == "claude");
  CHECK(agent("/usr/bin/node", {"node", "/usr/lib/claude.js"}) == "claude");
  CHECK(agent("/usr/bin/node", {"node", "--no-warnings", "/usr/lib/node_modules/.bin/claude"}) == "claude");
  CHECK(agent("/usr/bin/python3", {"python3.11", "-m", "aider"}) == "aider");
  CHECK(agent("/usr/bin/npx", {"npx", "-y", "claude@latest"}) == "claude");
  CHECK(agent("/usr/bin/uv", {"uv", "run", "aider"}) == "aider");
  CHECK(agent("/opt/v2/bin/special", {"special"}) == "special");
}

TEST_CASE("discovery: a listed word as an argument, or another program's name, is not") {
  CHECK(agent("/usr/bin/vim", {"vim", "claude"}).empty());
  CHECK(agent("/usr/bin/which", {"which", "claude"}).empty());
  CHECK(agent("/usr/bin/claude-desktop", {"claude-desktop"}).empty());
  CHECK(agent("/usr/bin/python3", {"python3", "tool.py", "claude"}).empty());
  CHECK(agent("/home/u/special", {"special"}).empty());
}

TEST_CASE("monitor: rows are made ready for the kernel only when something is looked for") {
  CHECK(Discovering().spares.size() == 16);
  Monitored house;
  CHECK(plans_of<SparePlan>(house.monitor.on_time(1'000)).empty());
}

TEST_CASE("monitor: a discovered agent is a target before its first exec is told, and its row is replaced") {
  Discovering house;
  const Step step = house(a_discovered(house.spares[0].slot));
  CHECK(types_of(step) == std::vector<std::string>{"target:added", "exec"});
  CHECK(step.events[1].target->name == "claude");
  CHECK(house.only_target().source == TargetSource::discovered);
  CHECK(house.only_target().root == kFound.id);
  CHECK(plans_of<StandbyPlan>(step).size() == 1);
  CHECK(plans_of<SparePlan>(step).size() == 1);
}

TEST_CASE("monitor: what was discovered by mistake is let go, and nothing of it is told") {
  Discovering house;
  const std::uint32_t slot = house.spares[0].slot;
  Step step = house(a_discovered(slot, "/usr/bin/vim"));
  CHECK(step.events.empty());
  REQUIRE(plans_of<ReleasePlan>(step).size() == 1);
  CHECK(house(a_fork().of(kFound).child(a_process(501, 7'000)).in_slot(slot)).events.empty());
  CHECK(house.released(slot).events.empty());
  CHECK(house.monitor.targets().empty());
}

TEST_CASE("monitor: a record of what was let go that comes after its release is nobody's, however many came since") {
  Discovering house;
  std::vector<std::uint32_t> slots;
  for (int i = 0; i < 300; ++i) {
    const std::uint32_t slot = slots.empty() ? house.spares[0].slot : house.spares.back().slot;
    const Step step = house(a_discovered(slot, "/usr/bin/vim"));
    house.spares = plans_of<SparePlan>(step);
    REQUIRE(house.spares.size() == 1);
    house.released(slot);
    slots.push_back(slot);
  }
  for (const std::uint32_t slot : slots) {
    CHECK(house(a_fork().of(kFound).child(a_process(501, 7'000)).in_slot(slot)).events.empty());
    Event opened = a_fork().of(kFound).in_slot(slot).event();
    opened.body = FileBody{};
    CHECK(house(std::move(opened)).events.empty());
  }
  CHECK(house.monitor.targets().empty());
}

TEST_CASE("monitor: beyond the limit of a user a discovered agent is let go and counted") {
  Discovering house(1);
  house(a_discovered(house.spares[0].slot));
  Who other = kFound;
  other.id = {600, 7'000};
  const Step step = house(a_discovered(house.spares[1].slot).of(other));
  const auto losses = bodies_of<LossBody>(step);
  REQUIRE(losses.size() == 1);
  CHECK(losses[0].cause == "agents-per-uid");
  CHECK(house.monitor.targets().size() == 1);
}

TEST_CASE("monitor: what a resting program missed of a discovered agent is a dated loss") {
  Discovering house;
  const ProbeBody resting{"exec", "aa_failed_exec", "tp_btf/sys_exit", ProbeState::standby, 0, ""};
  house.monitor.on_probe(resting);
  house(a_discovered(house.spares[0].slot));
  house.monitor.on_time(9'000);
  ProbeBody awake = resting;
  awake.state = ProbeState::attached;
  const auto losses = bodies_of<LossBody>(house.monitor.on_probe(awake));
  REQUIRE(losses.size() == 1);
  CHECK(losses[0].cause == "late-attach");
  CHECK(losses[0].first_boot_ns == 6'000);
  CHECK(losses[0].last_boot_ns == 9'000);
}

TEST_CASE("monitor: each family that rested says once what it may have missed") {
  Discovering house;
  const std::vector<ProbeBody> resting = {
      {"exec", "aa_failed_exec", "tp_btf/sys_exit", ProbeState::standby, 0, ""},
      {"file", "aa_file_enter", "raw_tp/sys_enter", ProbeState::standby, 0, ""},
      {"file", "aa_file_exit", "raw_tp/sys_exit", ProbeState::standby, 0, ""},
  };
  for (const ProbeBody& probe : resting) house.monitor.on_probe(probe);
  house(a_discovered(house.spares[0].slot));
  std::vector<std::string> families;
  for (ProbeBody probe : resting) {
    probe.state = ProbeState::attached;
    for (const LossBody& loss : bodies_of<LossBody>(house.monitor.on_probe(probe))) families.push_back(loss.family);
  }
  CHECK(families == std::vector<std::string>{"exec", "file"});
}

TEST_CASE("monitor: what a program read that was let go is nobody's business") {
  Discovering house;
  const std::uint32_t slot = house.spares[0].slot;
  house(a_discovered(slot, "/usr/bin/vim"));
  FileSum sum;
  sum.key = {kFound.id, 77, 2, 1, 0};
  sum.slot = slot;
  sum.reads = 3;
  CHECK(house.monitor.complete(SumsFlipped{9'000, {sum}}).events.empty());
}
