// The Monitor and agents' own promises: asked for at a target's start, in force for it alone, gone with it.
#include "support/monitored.h"
#include "support/rounds.h"

using namespace aa;
using namespace aa::test;

namespace {

const Who kPromiser = a_process(100, 5'000, "agent");
const Who kOther = a_process(200, 6'000, "other");

PathRule pattern(std::string text) {
  PathRule rule;
  rule.pattern = std::move(text);
  return rule;
}

// A Monitor whose configuration wants kPromiser watched, and its promises kept.
struct PromisingHouse : Monitored {
  explicit PromisingHouse(bool sees_files = true) {
    if (sees_files) monitor.on_probe(a_file_probe(ProbeState::attached));
    configure(wish());
  }

  static TargetWish wish() {
    return {TargetWish::By::pid, "100", 100, "agent", TlsLevel::redacted, {"claude:~/x", ".gitignore"}};
  }

  Step configure(TargetWish wish) {
    Configure command;
    command.targets = {std::move(wish)};
    const Step step = monitor.apply(std::move(command));
    for (const EnrolPlan& plan : plans_of<EnrolPlan>(step)) slot = plan.slot;
    return step;
  }

  // Enrolled; the plan that asks for its promises.
  ImportPlan begin() {
    LivingProcess root = with_text(living(kPromiser, slot), "/bin/agent", {"agent"});
    root.uid = 1000;
    root.cwd = "/home/u/p";
    const Step step = enrolled(slot, kPromiser, {root});
    REQUIRE(plans_of<ImportPlan>(step).size() == 1);
    return plans_of<ImportPlan>(step)[0];
  }

  std::vector<PathRule> in_force() { return monitor.path_rules().rules(); }

  // What the step wants put in force is.
  Step put(const Step& step) {
    const auto plans = plans_of<RulesPlan>(step);
    REQUIRE(plans.size() == 1);
    return monitor.complete(RulesInForce{0, now, plans[0].rules->generation(), std::nullopt});
  }

  Step file(const Who& who, const std::string& path) { return file_of(who, slot, path); }

  Step file_of(const Who& who, std::uint32_t in_slot, const std::string& path) {
    FileBody body;
    body.op = FileOp::open;
    body.at.path = path;
    body.generation = monitor.path_rules().generation();
    body.resolution = Resolution::kernel;
    Event event;
    event.boot_ns = 3'000'000;
    event.slot = in_slot;
    event.process = who;
    event.body = body;
    return monitor.on_event(event);
  }

  // A target that promised nothing; its slot.
  std::uint32_t begin_other() {
    const std::uint32_t other = Monitored::begin(200);
    (void)enrolled(other, kOther, {living(kOther, other)});
    return other;
  }

  std::uint32_t slot = 0;
};

std::vector<AlertBody> alerts(const Step& step) {
  return bodies_of<AlertBody>(step);
}

}  // namespace

TEST_CASE("promises: they are asked for when a target starts, from where it stands, and only where the wish says so") {
  PromisingHouse house;
  const ImportPlan plan = house.begin();
  CHECK(plan.root == kPromiser.id);
  CHECK(plan.uid == 1000);
  CHECK(plan.cwd == "/home/u/p");
  CHECK(plan.imports == std::vector<std::string>{"claude:~/x", ".gitignore"});
  Monitored other;
  const std::uint32_t slot = other.begin(200);
  CHECK(plans_of<ImportPlan>(other.enrolled(slot, kOther, {living(kOther, slot)})).empty());
}

TEST_CASE("promises: they become denials for their target alone, whatever they claim to be") {
  PromisingHouse house;
  const ImportPlan plan = house.begin();
  PathRule cunning = pattern("/secret");
  cunning.verdict = Verdict::allow;
  cunning.target = "";
  cunning.layer = RuleLayer::file;
  (void)house.put(house.monitor.complete(Imported{plan.key, {cunning}, {}}));
  REQUIRE(house.in_force().size() == 1);
  const PathRule rule = house.in_force()[0];
  CHECK(rule.verdict == Verdict::deny);
  CHECK(rule.layer == RuleLayer::imported);
  CHECK(rule.target == house.monitor.target(plan.key)->id);
  const auto told = alerts(house.file(kPromiser, "/secret"));
  REQUIRE(told.size() == 1);
  CHECK(told[0].summary == "agent (pid 100) opened /secret, denied by the rule /secret (promise)");
  const std::uint32_t slot = house.begin_other();
  CHECK(alerts(house.file_of(kOther, slot, "/secret")).empty());
}

TEST_CASE("promises: when the root has ended another of its processes is asked, and when there is none that is said") {
  PromisingHouse house;
  LivingProcess child = living(a_process(101, 5'500, "child"), house.slot);
  child.parent = kPromiser.id;
  LivingProcess root = with_text(living(kPromiser, house.slot), "/bin/agent", {"agent"});
  root.cwd = "/home/u/p";
  (void)house.enrolled(house.slot, kPromiser, {root, child});
  const std::uint32_t key = house.monitor.targets().at(0)->key;
  (void)house(an_exit().of(kPromiser).in_slot(house.slot));
  Imported gone;
  gone.key = key;
  gone.gone = kPromiser.id;
  const Step again = house.monitor.complete(gone);
  REQUIRE(plans_of<ImportPlan>(again).size() == 1);
  CHECK(plans_of<ImportPlan>(again)[0].root.pid == 101);
  CHECK(plans_of<ImportPlan>(again)[0].cwd == "/home/u/p");
  std::size_t told = 0;
  for (int asked = 0; asked < 10 && told == 0; ++asked) told = alerts(house.monitor.complete(gone)).size();
  CHECK(told == 1);
}

TEST_CASE("promises: they stay over a reload, whatever it says of rules, and go with their target") {
  PromisingHouse house;
  const ImportPlan plan = house.begin();
  (void)house.put(house.monitor.complete(Imported{plan.key, {pattern("/secret")}, {}}));
  Configure again;
  again.rules = {pattern("/file")};
  again.targets = {PromisingHouse::wish()};
  const Step reloaded = house.monitor.apply(again);
  CHECK(plans_of<ImportPlan>(reloaded).empty());
  (void)house.put(reloaded);
  CHECK(house.in_force().size() == 2);
  const Step gone = house(an_exit().of(kPromiser).in_slot(house.slot));
  CHECK(plans_of<SettlePlan>(gone).size() == 1);
  (void)house.put(house.monitor.complete(Settled{kPromiser.id}));
  REQUIRE(house.in_force().size() == 1);
  CHECK(house.in_force()[0].pattern == "/file");
}

TEST_CASE("promises: those that the daemon before knew hold on, before what the files say now") {
  PromisingHouse house;
  KeepPromises keep{0, kPromiser.id, {pattern("/home/u/p/old"), pattern("/home/u/p/both")}};
  (void)house.monitor.apply(keep);
  CHECK(house.monitor.promises().at(kPromiser.id).size() == 2);
  const ImportPlan plan = house.begin();
  (void)house.put(
      house.monitor.complete(Imported{plan.key, {pattern("/home/u/p/both"), pattern("/home/u/p/new")}, {}}));
  CHECK(house.in_force().size() == 3);
  CHECK(house.monitor.promises().at(kPromiser.id).front().pattern == "/home/u/p/old");
}

TEST_CASE("promises: a target that is released takes its promises along; answers that come later mean nothing") {
  PromisingHouse house;
  const ImportPlan plan = house.begin();
  (void)house.put(house.monitor.complete(Imported{plan.key, {pattern("/secret")}, {}}));
  Configure nobody;
  (void)house.monitor.apply(nobody);
  (void)house.put(house.monitor.complete(Released{0, house.slot, house.now, std::nullopt}));
  CHECK(house.in_force().empty());
  const Step late = house.monitor.complete(Imported{plan.key, {pattern("/secret")}, {{"x", true, 0, "", "odd"}}});
  CHECK((late.plans.empty() && late.events.empty()));
}

TEST_CASE("promises: a broken file and each entry that is no rule is an alert of the target's, at most 100") {
  PromisingHouse house;
  const ImportPlan plan = house.begin();
  Imported done{plan.key,
                {},
                {{"claude:~/x", true, 0, "", "it is larger than 256 KiB"},
                 {".gitignore", false, 4, "!b", "it takes another back, and an import only adds"}}};
  const auto told = alerts(house.monitor.complete(done));
  REQUIRE(told.size() == 2);
  CHECK(told[0].kind == "import-broken");
  CHECK(told[0].severity == Severity::warning);
  CHECK(told[0].rule == "claude:~/x");
  CHECK(told[0].summary == "of what agent promised (claude:~/x): it is larger than 256 KiB");
  CHECK(told[1].kind == "import-skipped");
  CHECK(told[1].severity == Severity::info);
  CHECK(
      told[1].summary ==
      "of what agent promised (.gitignore, line 4), the entry \"!b\" is no rule: it takes another back, and an import "
      "only adds");
  done.notes.resize(250, done.notes[1]);
  CHECK(alerts(house.monitor.complete(done)).size() == 101);
}

TEST_CASE("promises: a pattern that cannot be used costs none of the others") {
  PromisingHouse house;
  const ImportPlan plan = house.begin();
  const Step step = house.monitor.complete(Imported{plan.key, {pattern("/a\\/"), pattern("/b"), pattern("c")}, {}});
  CHECK(alerts(step).size() == 2);
  (void)house.put(step);
  REQUIRE(house.in_force().size() == 1);
  CHECK(house.in_force()[0].pattern == "/b");
}

TEST_CASE("promises: those of one target, and those of all, are limited; the administrator's rules are not") {
  PromisingHouse house;
  const ImportPlan plan = house.begin();
  const Step step = house.monitor.complete(Imported{plan.key, std::vector<PathRule>(1'500, pattern("/a")), {}});
  REQUIRE(alerts(step).size() == 1);
  CHECK(alerts(step)[0].kind == "import-broken");
  (void)house.put(step);
  CHECK(house.in_force().size() == 1'000);
  if (test::sparse() > 1) return;
  SetPathRules full;
  full.token = 4;
  for (int number = 0; number < 100'000; ++number) full.rules.push_back(pattern("/r/" + std::to_string(number)));
  CHECK(house.monitor.apply(full).answers.empty());  // on its way, not refused
}

TEST_CASE("promises: while one set is on its way the next waits, and many become one") {
  PromisingHouse house;
  const ImportPlan plan = house.begin();
  const Step first = house.monitor.complete(Imported{plan.key, {pattern("/a")}, {}});
  const Step gone = house(an_exit().of(kPromiser).in_slot(house.slot));
  CHECK(plans_of<RulesPlan>(house.monitor.complete(Settled{kPromiser.id})).empty());
  const Step next = house.put(first);
  CHECK(house.in_force().size() == 1);
  (void)house.put(next);
  CHECK(house.in_force().empty());
}

TEST_CASE("promises: a set that the kernel refuses is told, and leaves what was before") {
  PromisingHouse house;
  const ImportPlan plan = house.begin();
  const Step step = house.monitor.complete(Imported{plan.key, {pattern("/a")}, {}});
  const std::uint64_t generation = plans_of<RulesPlan>(step)[0].rules->generation();
  const auto told =
      alerts(house.monitor.complete(RulesInForce{0, house.now, generation, Refusal{Fault::map_failed, "no room"}}));
  REQUIRE(told.size() == 1);
  CHECK(told[0].summary == "of what agent promised (import): no room");
  CHECK(house.in_force().empty());
}

TEST_CASE("promises: an allow of the running layer does not take one back; glob rules cost their own target alone") {
  PathRule promise = pattern("/a/**");
  promise.layer = RuleLayer::imported;
  promise.target = "t";
  PathRule allow = pattern("/a/b");
  allow.verdict = Verdict::allow;
  const auto set = std::get<std::shared_ptr<const PathRules>>(PathRules::compile({promise, allow}, {}, 1));
  PathQuery query;
  query.path = "/a/b";
  CHECK(set->judge(query).verdict == Verdict::allow);
  const PathQuery::Whose t{"t", ""};
  query.targets = {&t, 1};
  CHECK(set->judge(query).verdict == Verdict::deny);
  query.path = "/a/c";
  CHECK(set->judge(query).rule->layer == RuleLayer::imported);
}

TEST_CASE("promises: what an agent promised and how deep it digs cost no more than a moment, and that is told once") {
  PromisingHouse house;
  const ImportPlan plan = house.begin();
  Imported done{plan.key, {}, {}};
  std::string deep = "/home/u/p";
  for (int i = 0; i < 1'900; ++i) deep += "/a";
  for (int i = 0; i < 125; ++i) {
    std::string text = "/home/u/p/**/";
    for (int k = 0; k < 1'000; ++k) text += "a/";
    done.rules.push_back(pattern(text + "b" + std::to_string(i) + "*"));
  }
  done.rules.insert(done.rules.begin(), pattern("/home/u/p/**/f"));
  (void)house.put(house.monitor.complete(std::move(done)));
  const auto unfinished = [](const Step& step) {
    const auto alerts = bodies_of<AlertBody>(step);
    return std::ranges::count_if(alerts, [](const AlertBody& one) { return one.kind == "import-broken"; });
  };
  CHECK(unfinished(house.file(kPromiser, "/home/u/p/a/b/c")) == 0);
  CHECK(unfinished(house.file(kPromiser, deep + "/x")) == 1);
  CHECK(unfinished(house.file(kPromiser, deep + "/y")) == 0);
  const Step denied = house.file(kPromiser, "/home/u/p/a/f");
  CHECK(bodies_of<FileBody>(denied).at(0).verdict == Verdict::deny);
}

TEST_CASE("promises: where nobody sees files that is said, and they are not read") {
  PromisingHouse house(false);
  const Step step = house.enrolled(house.slot, kPromiser, {living(kPromiser, house.slot)});
  CHECK(plans_of<ImportPlan>(step).empty());
  const auto told = alerts(step);
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == "import-broken");
  CHECK(told[0].summary.find("nobody sees files here") != std::string::npos);
}
