// Monitor: the configuration taken in: whole or not at all, as a difference, and always the same as from a fresh start.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "state/input.h"
#include "support/monitored.h"
#include "support/rounds.h"

using namespace aa;
using namespace aa::test;

namespace {

using By = TargetWish::By;

PathRule deny(std::string pattern) {
  PathRule rule;
  rule.pattern = std::move(pattern);
  return rule;
}

// A Monitor whose plans are carried out at once, in a world of a few processes: what a kernel would hold afterwards.
// 100 to 106 run agent100 to agent106, as the users of these numbers; 103 is a child of 101, and 104 of 103. 105 is in
// the unit x.service, 106 in the control group /y.
struct World {
  Monitor monitor{Monitor::Settings{}};
  std::vector<LivingProcess> living;           // with text; parents first
  std::map<std::uint32_t, std::string> slots;  // what is watched in them
  std::uint64_t generation = 0;
  std::vector<std::string> rules;
  LookForPlan look;
  std::vector<Answer> answers;
  std::size_t releases = 0;
  std::optional<Refusal> refuse_rules;

  World() {
    take(monitor.on_probe(a_file_probe(ProbeState::standby)));
    for (std::uint32_t pid = 100; pid < 107; ++pid) {
      LivingProcess process = test::living(a_process(pid, pid * 1'000, "p" + std::to_string(pid)));
      process.uid = pid;
      process.cgroup = pid == 105 ? "/system.slice/x.service" : pid == 106 ? "/y/below" : "/z";
      process.parent = pid == 103 ? ProcessId{101, 101'000} : pid == 104 ? ProcessId{103, 103'000} : ProcessId{1, 1};
      living.push_back(with_text(process, "/bin/agent" + std::to_string(pid), {"agent" + std::to_string(pid)}));
    }
  }

  void configure(Configure command) { take(monitor.apply(std::move(command))); }

  void watch(std::uint32_t pid) {
    StartMonitoring command;
    command.token = 6;
    command.pid = pid;
    take(monitor.apply(std::move(command)));
  }

  void stop(std::uint32_t pid) { take(monitor.apply(StopMonitoring{7, std::to_string(pid)})); }

  void take(const Step& step) {
    answers.insert(answers.end(), step.answers.begin(), step.answers.end());
    for (const Plan& plan : step.plans) carry_out(plan);
  }

  void carry_out(const Plan& plan) {
    if (const auto* set = std::get_if<RulesPlan>(&plan)) put(*set);
    if (const auto* look_for = std::get_if<LookForPlan>(&plan)) look = *look_for;
    if (std::holds_alternative<LookAroundPlan>(plan)) take(monitor.complete(LookedAround{1, living}));
    if (const auto* find = std::get_if<FindUnitPlan>(&plan))
      take(monitor.complete(UnitFound{find->unit, find->unit, "/system.slice/" + find->unit, std::nullopt}));
    if (const auto* enrol = std::get_if<EnrolPlan>(&plan)) enrolled(*enrol);
    if (const auto* import = std::get_if<ImportPlan>(&plan))
      take(monitor.complete(Imported{import->key, {deny("/promised")}, {}}));
    if (const auto* unit = std::get_if<EnrolUnitPlan>(&plan)) {
      slots[unit->slot] = unit->cgroup;
      Enrolled done;
      done.slot = unit->slot;
      done.processes = adopted(unit->slot);
      take(monitor.complete(done));
    }
    if (const auto* adopt = std::get_if<AdoptPlan>(&plan))
      take(monitor.complete(Adopted{adopt->slot, 1, adopted(adopt->slot)}));
    if (const auto* release = std::get_if<ReleasePlan>(&plan)) {
      slots.erase(release->slot);
      for (LivingProcess& one : living)
        if (one.watched && one.slot == release->slot) put_in(one, release->return_to.value_or(0));
      ++releases;
      take(monitor.complete(Released{release->token, release->slot, 1, release->return_to}));
      take(monitor.complete(SumsFlipped{1, {}}));
    }
  }

  void put(const RulesPlan& set) {
    if (!refuse_rules) {
      generation = set.rules->generation();
      rules.clear();
      for (const PathRule& rule : set.rules->rules()) rules.push_back(rule.pattern);
    }
    take(monitor.complete(RulesInForce{set.token, 1, set.rules->generation(), refuse_rules}));
  }

  // Who is in the control group of a slot and watched by nobody.
  std::vector<LivingProcess> adopted(std::uint32_t slot) {
    std::vector<LivingProcess> out;
    for (LivingProcess& one : living) {
      if (one.watched || !(one.cgroup + "/").starts_with(slots[slot] + "/")) continue;
      put_in(one, slot);
      out.push_back(one);
    }
    return out;
  }

  static void put_in(LivingProcess& process, std::uint32_t slot) {
    process.slot = slot;
    process.watched = slot != 0;
  }

  // The root, who was of its target before and descends from it, and who is watched by nobody and descends from it.
  void enrolled(const EnrolPlan& plan) {
    Enrolled done;
    done.slot = plan.slot;
    const auto root =
        std::find_if(living.begin(), living.end(), [&](const LivingProcess& one) { return one.id.pid == plan.pid; });
    if (root == living.end()) {
      done.refusal = Refusal{Fault::no_such_process, "gone"};
    } else if (slots.count(root->slot) != 0 && slots[root->slot] == "pid " + std::to_string(plan.pid)) {
      done.already = root->slot;
    } else {
      if (root->watched) done.outer = root->slot;
      slots[plan.slot] = "pid " + std::to_string(plan.pid);
      done.root = root->id;
      std::set<ProcessId> inside = {root->id};
      for (LivingProcess& one : living) {
        const bool free = !one.watched || one.slot == done.outer;
        if (one.id == root->id || (free && inside.count(one.parent) != 0)) put_in(one, plan.slot);
        if (one.slot == plan.slot) inside.insert(one.id);
      }
      for (const LivingProcess& one : living)
        if (!one.watched || one.slot == plan.slot) done.processes.push_back(one);
    }
    take(monitor.complete(done));
  }

  // What is watched, how it is called, by which rules: without the numbers that tell how it came about.
  std::multiset<std::string> held() const {
    std::multiset<std::string> out;
    for (const auto& [slot, what] : slots) out.insert("slot " + what);
    for (const LivingProcess& one : living)
      if (one.watched) out.insert(one.id.text() + " is in " + slots.at(one.slot));
    for (const std::string& rule : rules) out.insert("rule " + rule);
    for (const std::string& name : look.names) out.insert("look " + name);
    for (const std::uint32_t user : look.users) out.insert("look for user " + std::to_string(user));
    for (const Target* target : monitor.targets())
      if (target->running)
        out.insert("target " + target->name + " " + target->unit + " " + target->root.text() + " " +
                   std::string(name_of(target->source)) + " " + std::string(name_of(target->tls)));
    for (const TargetWish& wish : monitor.wishes()) out.insert("wish " + wish.what);
    for (const Rule& rule : monitor.detect_table().rules) out.insert("detect " + rule.name);
    return out;
  }
};

TargetWish wish(By by, std::string what, std::uint32_t number = 0, std::string name = "") {
  return {by, std::move(what), number, std::move(name), TlsLevel::redacted, {}};
}

// Several mean the same process, or one above it; 555 is gone.
const std::vector<TargetWish> kWishes = {
    wish(By::pid, "100", 100),   wish(By::pid, "101", 101),         wish(By::pid, "103", 103, "own"),
    wish(By::pid, "555", 555),   wish(By::exe, "agent101"),         wish(By::exe, "agent103", 0, "one"),
    wish(By::exe, "agent104"),   wish(By::exe, "/bin/agent10[34]"), wish(By::user, "u102", 102, "two"),
    wish(By::user, "u103", 103), wish(By::exe, "agent105"),         wish(By::user, "u106", 106),
    wish(By::pid, "106", 106),   wish(By::unit, "x.service"),       wish(By::cgroup, "/y")};

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  bool coin() { return random_() % 2 == 0; }

  Configure configuration() {
    Configure out;
    out.token = 5;
    for (const char* pattern : {"/a", "/b/", "**/c", "~/d", "/e/*"})
      if (coin()) out.rules.push_back(deny(pattern));
    if (coin()) out.policy.agents = {"claude"};
    if (coin()) out.policy.least_alert = Severity::critical;
    if (coin()) out.policy.detect_change = {{"shell"}, {"rule own escape critical | command shell | Own."}};
    for (const TargetWish& one : kWishes)
      if (coin()) out.targets.push_back(one);
    if (!out.targets.empty() && coin()) out.targets.back().imports = {".gitignore"};
    std::shuffle(out.targets.begin(), out.targets.end(), random_);
    return out;
  }

 private:
  std::mt19937 random_;
};

}  // namespace

TEST_CASE("configuration: reload(A to B) leaves what a fresh start with B leaves, for 2,000 random pairs") {
  Dice dice(7);
  for (std::uint64_t round = 0; round < test::rounds(2'000); ++round) {
    CAPTURE(round);
    const Configure a = dice.configuration(), b = dice.configuration();
    World reloaded, fresh;
    reloaded.configure(a);
    reloaded.configure(b);
    fresh.configure(b);
    REQUIRE(reloaded.held() == fresh.held());
    REQUIRE(reloaded.answers.size() == 2);
  }
}

TEST_CASE("configuration: what has not changed is not touched") {
  World world;
  Configure command;
  command.rules = {deny("/a")};
  command.targets = {wish(By::pid, "100", 100), wish(By::exe, "agent101")};
  world.configure(command);
  const auto slots = world.slots;
  CHECK(slots.size() == 2);
  command.targets.push_back(wish(By::pid, "103", 103));
  world.configure(command);
  CHECK(world.generation == 1);
  CHECK(world.releases == 0);
  for (const auto& slot : slots) CHECK(world.slots.count(slot.first) == 1);
}

TEST_CASE("configuration: a pid that was let go of disturbs nobody below it") {
  World world;
  Configure command;
  command.targets = {wish(By::pid, "101", 101), wish(By::exe, "agent103")};
  world.configure(command);
  const std::string outer = world.monitor.targets().at(0)->id;
  world.take(world.monitor.apply(StopMonitoring{1, outer}));
  world.configure(command);  // takes in who is below
  const auto slots = world.slots;
  REQUIRE(slots.size() == 1);
  const std::size_t releases = world.releases;
  for (const char* name : {"other", "another"}) {
    command.targets.resize(2);
    command.targets.push_back(wish(By::exe, name));
    world.configure(command);
    CHECK(world.releases == releases);
    CHECK(world.slots == slots);
  }
}

TEST_CASE("configuration: what the bus asked for too is watched on when the configuration lets it go") {
  World bus_first, file_first;
  Configure command, none;
  command.targets = {wish(By::pid, "101", 101)};
  bus_first.watch(101);
  bus_first.configure(command);
  file_first.configure(command);
  file_first.watch(101);
  for (World* world : {&bus_first, &file_first}) {
    REQUIRE(world->monitor.targets().size() == 1);
    CHECK(world->monitor.targets()[0]->source == TargetSource::config);
    const auto slots = world->slots;
    world->configure(none);
    CHECK(world->slots == slots);
    REQUIRE(world->monitor.targets().size() == 1);
    CHECK(world->monitor.targets()[0]->source == TargetSource::dbus);
    CHECK(world->releases == 0);
  }
}

TEST_CASE("configuration: what the bus asked for too goes from wish to wish, until the bus drops it") {
  World world;
  Configure command;
  command.targets = {wish(By::pid, "101", 101)};
  world.configure(command);
  world.watch(101);
  command.targets = {wish(By::exe, "agent101", 0, "by-name")};
  world.configure(command);
  REQUIRE(world.monitor.targets().size() == 1);
  CHECK(world.monitor.targets()[0]->name == "by-name");
  world.configure({});
  REQUIRE(world.monitor.targets().size() == 1);
  CHECK(world.monitor.targets()[0]->source == TargetSource::dbus);
  world.stop(101);
  CHECK(world.slots.empty());
  world.configure(command);
  world.configure({});
  CHECK(world.slots.empty());
}

TEST_CASE("configuration: whom the bus lets go of, and the configuration means, is watched at once, and nobody else") {
  World world;
  world.watch(101);
  Configure command;
  command.targets = {wish(By::exe, "agent103", 0, "below"), wish(By::exe, "agent102")};
  world.configure(command);
  CHECK(world.slots.size() == 2);
  world.stop(102);
  CHECK(world.slots.size() == 1);
  world.stop(101);
  REQUIRE(world.slots.size() == 1);
  CHECK(world.slots.begin()->second == "pid 103");
  CHECK(world.monitor.targets()[0]->name == "below");
}

TEST_CASE("configuration: it is said to be in force when everyone is watched whom it means and who is there") {
  Monitored house;
  Configure command;
  command.token = 1;
  command.targets = {wish(By::pid, "100", 100), wish(By::exe, "agent101")};
  const Step taken = house.monitor.apply(command);
  CHECK(taken.answers.empty());
  REQUIRE(plans_of<EnrolPlan>(taken).size() == 1);
  const ProcessRef named = a_process(100, 100'000, "a"), found = a_process(101, 101'000, "b");
  const Step looked =
      house.monitor.complete(LookedAround{1, {with_text(living(found), "/bin/agent101", {"agent101"})}});
  REQUIRE(plans_of<EnrolPlan>(looked).size() == 1);
  CHECK(looked.answers.empty());
  const std::uint32_t by_pid = plans_of<EnrolPlan>(taken)[0].slot, by_exe = plans_of<EnrolPlan>(looked)[0].slot;
  CHECK(house.enrolled(by_exe, found, {living(found, by_exe, true)}).answers.empty());
  const Step last = house.enrolled(by_pid, named, {living(named, by_pid, true)});
  REQUIRE(last.answers.size() == 1);
  CHECK(last.answers[0].token == 1);
}

TEST_CASE("configuration: rules that are refused, or that the kernel does not take, leave everything as it was") {
  World world;
  Configure good;
  good.token = 1;
  good.rules = {deny("/a")};
  world.configure(good);
  const auto before = world.held();
  Configure bad = good;
  bad.token = 2;
  bad.rules = {deny("relative")};
  bad.targets = {wish(By::pid, "100", 100)};
  bad.policy.agents = {"claude"};
  world.configure(bad);
  bad.rules = {deny("/fine")};
  world.refuse_rules = Refusal{Fault::map_failed, "no room"};
  world.configure(bad);
  REQUIRE(world.answers.size() == 3);
  CHECK(std::get<Refusal>(world.answers[1].outcome).fault == Fault::invalid_pattern);
  CHECK(std::get<Refusal>(world.answers[2].outcome).fault == Fault::map_failed);
  CHECK(world.held() == before);
  world.refuse_rules.reset();
  world.configure(good);
  CHECK(world.held() == before);
}

TEST_CASE("configuration: the running layer of path rules outlives a reload") {
  World world;
  SetPathRules runtime;
  runtime.rules = {deny("/run")};
  world.take(world.monitor.apply(runtime));
  Configure command;
  command.rules = {deny("/file")};
  world.configure(command);
  CHECK(world.rules == std::vector<std::string>{"/file", "/run"});
}

TEST_CASE("configuration: a second one is refused while the first waits for its path rules") {
  Monitored house;
  (void)house.monitor.on_probe(a_file_probe(ProbeState::attached));
  Configure command;
  command.token = 1;
  command.rules = {deny("/a")};
  CHECK(house.monitor.apply(command).answers.empty());
  CHECK(fault_of(house.monitor.apply(command)) == Fault::failed);
}

TEST_CASE("configuration: a target that cannot be watched is an alert, and the others are") {
  World world;
  Configure command;
  command.targets = {wish(By::pid, "555", 555), wish(By::pid, "100", 100)};
  world.configure(command);
  CHECK(world.slots.size() == 1);
  const Step step = world.monitor.complete(UnitFound{"gone.service", "", "", Refusal{}});
  CHECK(step.events.empty());  // nobody wishes for it
  command.targets = {wish(By::unit, "gone.service")};
  world.configure({});
  const Step asked = world.monitor.apply(command);
  REQUIRE(plans_of<FindUnitPlan>(asked).size() == 1);
  const Step refused =
      world.monitor.complete(UnitFound{"gone.service", "", "", Refusal{Fault::invalid_argument, "there is none"}});
  REQUIRE(bodies_of<AlertBody>(refused).size() == 1);
  CHECK(bodies_of<AlertBody>(refused)[0].kind == "target-not-watched");
}

TEST_CASE("configuration: the detector's table is the shipped one as the configuration in force changes it") {
  World world;
  Configure command;
  command.policy.detect_change = {{"shell"}, {"rule own escape critical | command shell | Own."}};
  world.configure(command);
  const auto count = [&](std::string_view name) {
    const auto& rules = world.monitor.detect_table().rules;
    return std::count_if(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.name == name; });
  };
  CHECK(count("own") == 1);
  CHECK(count("shell") == 0);
  CHECK(world.monitor.detect_table().rules.front().name == "own");
  Configure bad = command;
  bad.token = 3;
  bad.rules = {deny("/a")};
  bad.policy.detect_change.rows = {"rule"};
  const auto before = world.held();
  world.configure(bad);
  CHECK(std::get<Refusal>(world.answers.back().outcome).fault == Fault::invalid_config);
  CHECK(world.held() == before);
  CHECK(count("own") == 1);
  world.configure({});
  CHECK(count("own") == 0);
  CHECK(count("shell") == 1);
}

TEST_CASE("configuration: a shorter interval holds from the reload on, not from when the longer one is over") {
  Monitored house;
  (void)house.monitor.on_time(house.now);
  house.watch(a_process(100, 1'000, "agent"));
  Configure command;
  command.policy.reconcile_every = std::chrono::hours(1);
  (void)house.monitor.apply(command);
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const std::uint64_t later = house.now + 100 * kSecond;
  CHECK(plans_of<ReconcilePlan>(house.monitor.on_time(later)).size() == 1);  // a minute was the interval before
  CHECK(plans_of<ReconcilePlan>(house.monitor.on_time(later + 100 * kSecond)).empty());
  command.policy.reconcile_every = std::chrono::seconds(1);
  (void)house.monitor.apply(command);
  CHECK(plans_of<ReconcilePlan>(house.monitor.on_time(later + 101 * kSecond)).size() == 1);
}
