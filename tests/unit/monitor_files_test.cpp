// The Monitor and files: rules, verdicts, alerts, sums, and exits that wait for them.
#include <cerrno>

#include "event/json.h"
#include "support/monitored.h"

using namespace aa;
using namespace aa::test;

namespace {

const Who kReader = a_process(100, 5'000, "sh");
const Who kCat = a_process(200, 9'000, "cat").child_of(kReader);

// A Monitor that sees files and watches kReader.
struct FileHouse : Monitored {
  FileHouse() {
    monitor.on_probe(a_file_probe(ProbeState::attached));
    slot = watch(kReader);
    monitor.on_event(a_fork().of(kReader).child(kCat).in_slot(slot));
  }

  Step set(const std::string& pattern, Verdict verdict = Verdict::deny, Token token = 9, std::string category = "") {
    SetPathRules command;
    command.token = token;
    PathRule rule;
    rule.pattern = pattern;
    rule.verdict = verdict;
    rule.category = std::move(category);
    command.rules = {rule};
    return monitor.apply(command);
  }

  // In force at once.
  std::uint64_t rule(const std::string& pattern, Verdict verdict = Verdict::deny, const std::string& category = "") {
    const std::uint64_t generation = plans_of<RulesPlan>(set(pattern, verdict, 9, category))[0].rules->generation();
    monitor.complete(RulesInForce{9, now, generation, std::nullopt});
    return generation;
  }

  // Each path is a file of its own.
  static std::uint64_t inode_of(const std::string& path) { return std::hash<std::string>{}(path) | 1; }

  Event file(const std::string& path, std::uint64_t generation, FileOp op = FileOp::open) {
    FileBody body;
    body.op = op;
    body.at.path = path;
    body.generation = generation;
    body.resolution = Resolution::kernel;
    body.dev = 1;
    body.ino = inode_of(path);
    Event event;
    event.boot_ns = 3'000'000;
    event.slot = slot;
    event.process = kCat;
    event.body = body;
    return event;
  }

  Event first_read(const std::string& path, std::uint64_t generation = 0) {
    Event event = file(path, generation, FileOp::read);
    auto& body = std::get<FileBody>(event.body);
    body.bytes = 10;
    body.sum_key = 77;
    return event;
  }

  FileSum sum(std::uint64_t reads, std::uint64_t bytes, std::uint64_t generation = 0) {
    FileSum sum;
    sum.key = {kCat.id, 77, inode_of("/data"), 1, 0, generation};
    sum.slot = slot;
    sum.reads = reads;
    sum.read_bytes = bytes;
    sum.last_boot_ns = 3'500'000;
    return sum;
  }

  // By system call trace points: of both ends the names alone are seen.
  Event rename_by_name(const std::string& from, const std::string& to, std::uint64_t generation) {
    Event event = file(from, generation, FileOp::rename);
    auto& body = std::get<FileBody>(event.body);
    body.resolution = Resolution::user;
    body.ino = 0;
    body.to.emplace().path = to;
    return event;
  }

  std::uint32_t slot = 0;
};

FileBody only_file(const Step& step) {
  REQUIRE(bodies_of<FileBody>(step).size() == 1);
  return bodies_of<FileBody>(step)[0];
}

}  // namespace

TEST_CASE("files: a denied file is marked and raises one alert with its ancestry, however often it is used") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/etc/shadow");
  Step step = house(house.file("/etc/shadow", generation));
  CHECK(types_of(step) == std::vector<std::string>{"file", "alert"});
  const FileBody body = only_file(step);
  CHECK(body.verdict == Verdict::deny);
  CHECK(body.sensitive);
  CHECK(body.rule == "/etc/shadow");
  const AlertBody alert = bodies_of<AlertBody>(step)[0];
  CHECK(alert.kind == "sensitive-path");
  CHECK(alert.severity == Severity::warning);
  CHECK(alert.cause_seq == step.events[0].seq);
  CHECK(alert.summary.find("/etc/shadow") != std::string::npos);
  REQUIRE(alert.ancestry.size() >= 2);
  CHECK(alert.ancestry[0].id == kCat.id);
  CHECK(alert.ancestry[1].id == kReader.id);
  CHECK(types_of(house(house.file("/etc/shadow", generation, FileOp::read))) == std::vector<std::string>{"file"});
}

TEST_CASE(
    "files: what will be run later and another process's memory are ways out of the tree, other secrets are not") {
  const auto class_of = [](const std::string& path, const std::string& category) {
    FileHouse house;
    const std::uint64_t generation = house.rule(path, Verdict::deny, category);
    return bodies_of<AlertBody>(house(house.file(path, generation))).at(0).detect_class;
  };
  CHECK(class_of("/etc/cron.d/job", "persistence") == "escape");
  CHECK(class_of("/proc/7/mem", "process-memory") == "escape");
  CHECK(class_of("/proc/7/environ", "process-memory").empty());
  CHECK(class_of("/etc/shadow", "accounts").empty());
}

TEST_CASE("files: what lies in no tree is denied by the path it has, as any text can, and never allowed by it") {
  FileHouse house;
  const std::uint64_t generation = house.rule("**/.env");
  for (const char* path : {"/srv/.env", "n/.env"}) {
    Event event = house.file(path, generation);
    std::get<FileBody>(event.body).at.detached = true;
    CHECK(only_file(house(event)).verdict == Verdict::deny);
  }
  const std::uint64_t allowing = house.rule("/srv/**", Verdict::allow);
  Event event = house.file("/srv/.env", allowing);
  std::get<FileBody>(event.body).at.detached = true;
  CHECK(only_file(house(event)).verdict == Verdict::none);
}

TEST_CASE("files: an open that cuts the file off changes it") {
  FileHouse house;
  SetPathRules command;
  command.token = 9;
  PathRule rule;
  rule.pattern = "/srv/x";
  rule.ops = op_bit(FileOp::truncate);
  command.rules = {rule};
  const std::uint64_t generation = plans_of<RulesPlan>(house.monitor.apply(command))[0].rules->generation();
  house.monitor.complete(RulesInForce{9, house.now, generation, std::nullopt});
  Event event = house.file("/srv/x", generation);
  CHECK(only_file(house(event)).verdict == Verdict::none);
  std::get<FileBody>(event.body).flags = 01001;  // O_WRONLY | O_TRUNC
  CHECK(only_file(house(event)).verdict == Verdict::deny);
}

TEST_CASE("files: a record is judged by the generation it names, not by the newest") {
  FileHouse house;
  const std::uint64_t first = house.rule("/a");
  const std::uint64_t second = house.rule("/b");
  CHECK(only_file(house(house.file("/a", first))).verdict == Verdict::deny);
  CHECK(only_file(house(house.file("/b", first))).verdict == Verdict::none);
  CHECK(only_file(house(house.file("/b", second))).verdict == Verdict::deny);
  CHECK(only_file(house(house.file("/a", second))).verdict == Verdict::none);
  CHECK(only_file(house(house.file("/a", 0))).verdict == Verdict::none);
}

TEST_CASE("files: a set that is refused changes nothing, one the kernel did not take neither") {
  FileHouse house;
  house.rule("/a");
  CHECK(fault_of(house.set("/a/[b")) == Fault::invalid_pattern);
  CHECK(house.monitor.path_rules().rules()[0].pattern == "/a");
  const auto plan = plans_of<RulesPlan>(house.set("/b"))[0];
  const Step step = house.monitor.complete(
      RulesInForce{9, house.now, plan.rules->generation(), Refusal{Fault::map_failed, "no memory"}});
  CHECK(fault_of(step) == Fault::map_failed);
  CHECK(house.monitor.path_rules().rules()[0].pattern == "/a");
}

TEST_CASE("files: setting the running layer leaves the configured one") {
  FileHouse house;
  SetPathRules configured;
  configured.layer = RuleLayer::file;
  configured.rules.resize(1);
  configured.rules[0].pattern = "/etc/shadow";
  const auto plan = plans_of<RulesPlan>(house.monitor.apply(configured))[0];
  house.monitor.complete(RulesInForce{0, house.now, plan.rules->generation(), std::nullopt});
  house.rule("/a");
  CHECK(house.monitor.path_rules().rules().size() == 2);
  house.rule("/b");
  CHECK(house.monitor.path_rules().rules().size() == 2);
}

TEST_CASE("files: what is allowed is counted and not told") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/srv/", Verdict::allow);
  CHECK(house(house.file("/srv/x", generation)).events.empty());
  CHECK(house.monitor.allowed() == 1);
}

TEST_CASE("files: a file found by a glob is learned by its inode") {
  FileHouse house;
  const std::uint64_t generation = house.rule("**/.env");
  const Step step = house(house.file("/a/.env", generation));
  const auto plans = plans_of<LearnPlan>(step);
  REQUIRE(plans.size() == 1);
  CHECK(plans[0].ino == only_file(step).ino);
  Event alias = house.file("/a/harmless", generation);
  std::get<FileBody>(alias.body).objects = {plans[0].object};
  CHECK(only_file(house(alias)).rule == "**/.env");
}

TEST_CASE("files: what is renamed onto a denied path is learned, by that path where only names were seen") {
  FileHouse house;
  Event event = house.file("/tmp/x", house.rule("/etc/shadow"), FileOp::rename);
  auto& body = std::get<FileBody>(event.body);
  body.to.emplace().path = "/etc/shadow";
  CHECK(plans_of<LearnPlan>(house(event)).at(0).ino == body.ino);
  body.resolution = Resolution::user;
  body.ino = 0;
  const auto plans = plans_of<LearnPlan>(house(event));
  REQUIRE(plans.size() == 1);
  CHECK(plans[0].path == "/etc/shadow");
  CHECK(plans[0].ino == 0);
  body.result = -2;
  CHECK(plans_of<LearnPlan>(house(event)).empty());
}

TEST_CASE("files: what a glob denied is denied under its next name at once, before the kernel knows it") {
  FileHouse house;
  const std::uint64_t generation = house.rule("**/.env");
  const Event first = house.file("/a/.env", generation);
  Event moved = house.file("/a/harmless", generation);
  std::get<FileBody>(moved.body).ino = std::get<FileBody>(first.body).ino;
  CHECK(only_file(house(moved)).verdict == Verdict::none);
  house(first);
  CHECK(only_file(house(moved)).verdict == Verdict::deny);
  std::get<FileBody>(moved.body).inode_generation += 1;  // another file under its number
  CHECK(only_file(house(moved)).verdict == Verdict::none);
}

TEST_CASE("files: a name that a denied file was given counts for a second where only names are seen") {
  FileHouse house;
  const std::uint64_t generation = house.rule("**/.env");
  const Event rename = house.rename_by_name("/a/.env", "/a/harmless", generation);
  house(rename);
  Event opened = house.file("/a/harmless", generation);
  CHECK(only_file(house(opened)).verdict == Verdict::deny);
  Event later = house.file("/a/harmless", generation);
  std::get<FileBody>(later.body).ino += 2;  // whoever has the name by then
  later.boot_ns = rename.boot_ns + 1'000'000'001;
  CHECK(only_file(house(later)).verdict == Verdict::none);
}

TEST_CASE("files: what is denied only by where it is mounted is not known by its inode, nor to the kernel") {
  FileHouse house;
  Event event = house.file("/w/.env", house.rule("**/.env"));
  auto& body = std::get<FileBody>(event.body);
  body.at.inner = "/null";
  body.mounted.bound = true;
  body.mounted.point = 7;
  const Step step = house(event);
  CHECK(only_file(step).verdict == Verdict::deny);
  CHECK(step.plans.empty());
  body.at = {};
  body.at.path = "/dev/null";
  body.mounted = {};
  CHECK(only_file(house(event)).verdict == Verdict::none);
}

TEST_CASE("files: a name that a denied file was moved to is another file's once that is moved there") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/vault/");
  (void)house(house.rename_by_name("/vault/a", "/a", generation));
  CHECK(only_file(house(house.file("/a", generation))).verdict == Verdict::deny);
  (void)house(house.rename_by_name("/b", "/a", generation));
  Event opened = house.file("/a", generation);
  std::get<FileBody>(opened.body).ino += 7;
  CHECK(only_file(house(opened)).verdict == Verdict::none);
}

TEST_CASE("files: a name that was given in one mount namespace says nothing of files in another, nor of other inodes") {
  const auto verdict_after = [](bool inode_is_seen, bool given_elsewhere, bool opened_elsewhere) {
    FileHouse house;
    Event rename = house.rename_by_name("/etc/.env", "/etc/passwd", house.rule("**/.env"));
    auto& body = std::get<FileBody>(rename.body);
    if (inode_is_seen) body.ino = FileHouse::inode_of("/etc/.env");
    body.foreign = given_elsewhere;
    house(rename);
    Event opened = house.file("/etc/passwd", body.generation);
    std::get<FileBody>(opened.body).foreign = opened_elsewhere;
    return only_file(house(opened)).verdict;
  };
  for (const bool inode_is_seen : {false, true}) {
    CHECK(verdict_after(inode_is_seen, true, false) == Verdict::none);
    CHECK(verdict_after(inode_is_seen, false, true) == Verdict::none);
  }
  CHECK(verdict_after(false, false, false) == Verdict::deny);
  CHECK(verdict_after(true, false, false) == Verdict::none);
}

TEST_CASE("files: what leaves a denied folder is learned though the same name lies below it elsewhere") {
  FileHouse house;
  Event rename = house.file("/home/u/.aws/.aws/credentials", house.rule("/home/u/.aws/"), FileOp::rename);
  auto& body = std::get<FileBody>(rename.body);
  body.to.emplace().path = "/home/u/.aws/x";
  CHECK(plans_of<LearnPlan>(house(rename)).empty());
  body.foreign = true;
  CHECK(!plans_of<LearnPlan>(house(rename)).empty());
}

TEST_CASE("files: a file that is made in another mount namespace takes nobody's name here") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/vault/");
  house(house.rename_by_name("/vault/a", "/a", generation));
  Event made = house.file("/a", generation, FileOp::create);
  std::get<FileBody>(made.body).foreign = true;
  house(made);
  Event opened = house.file("/a", generation);
  std::get<FileBody>(opened.body).ino += 2;
  CHECK(only_file(house(opened)).verdict == Verdict::deny);
}

TEST_CASE("files: a name that was given is the same however it is spelt") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/f/vault/");
  house(house.rename_by_name("/f/vault/x", "/f/./a", generation));
  const Step step = house(house.rename_by_name("/f/.//a", "/f/b", generation));
  CHECK(only_file(step).verdict == Verdict::deny);
  REQUIRE(plans_of<LearnPlan>(step).size() == 1);
  CHECK(plans_of<LearnPlan>(step)[0].path == "/f/b");
}

TEST_CASE("files: of more names than are kept the one that was given last is kept, though it was the first before") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/vault/");
  Event rename = house.rename_by_name("/vault/x", "/first", generation);
  house(rename);
  for (int others = 0; others < 4096; ++others) {
    std::get<FileBody>(rename.body).to->path = others == 0 ? "/first" : "/" + std::to_string(others);
    rename.boot_ns += 1;
    house(rename);
  }
  CHECK(only_file(house(house.file("/first", generation))).verdict == Verdict::deny);
}

TEST_CASE("files: of one folder's names a few follow it at once, and the others are counted, whatever it holds") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/vault/");
  for (int number = 0; number < 200; ++number) {
    const std::string name = std::to_string(number);
    house(house.rename_by_name("/vault/" + name, "/a/" + name, generation));
  }
  const auto counted = [](const Step& step) {
    std::size_t names = 0;
    for (const UnlearnedPlan& plan : plans_of<UnlearnedPlan>(step)) names += plan.names;
    return names;
  };
  const Step step = house(house.rename_by_name("/a", "/b", generation));
  CHECK(plans_of<LearnPlan>(step).size() == 64);
  CHECK(counted(step) == 200 - 64);
  const Step back = house(house.rename_by_name("/b", "/a", generation));
  CHECK(plans_of<LearnPlan>(back).size() == 64);
  CHECK(counted(back) == 0);
}

TEST_CASE("files: what gets another name is not looked up where its inode is seen, and whether it is a folder") {
  FileHouse house;
  Event rename = house.file("/vault/x", house.rule("/vault/"), FileOp::rename);
  auto& body = std::get<FileBody>(rename.body);
  body.to.emplace().path = "/x";
  const auto check = [&](bool is_folder) {
    body.is_folder = is_folder;
    const auto plans = plans_of<LearnPlan>(house(rename));
    REQUIRE(plans.size() == 1);
    CHECK(plans[0].ino == body.ino);
    CHECK(plans[0].is_folder == is_folder);
    CHECK(plans[0].path.empty());
  };
  check(false);
  CHECK(plans_of<LearnPlan>(house(rename)).empty());
  check(true);
  check(true);
}

TEST_CASE("files: a file is denied by where a bound part really lies, and by the end of a path that is too long") {
  FileHouse house;
  const std::uint64_t generation = house.rule("**/.env");
  Event event = house.file("/a/notes", generation);
  CHECK(only_file(house(event)).verdict == Verdict::none);
  auto& at = std::get<FileBody>(event.body).at;
  at.inner = "/home/ann/.env";
  CHECK(only_file(house(event)).verdict == Verdict::deny);
  Event deep = house.file("/d/d/d/.env", generation);
  std::get<FileBody>(deep.body).at.too_long = true;
  std::get<FileBody>(deep.body).resolution = Resolution::unresolved;
  CHECK(only_file(house(deep)).verdict == Verdict::deny);
  const std::uint64_t anchored = house.rule("/d/*/d/.env");
  std::get<FileBody>(deep.body).generation = anchored;
  CHECK(only_file(house(deep)).verdict == Verdict::none);
}

TEST_CASE("files: a sum of the self-test's is nobody's") {
  FileHouse house;
  FileSum sum = house.sum(2, 300);
  CHECK_FALSE(house.monitor.complete(SumsFlipped{house.now, {sum}}).events.empty());
  sum.slot = 0;
  CHECK(house.monitor.complete(SumsFlipped{house.now, {sum}}).events.empty());
}

TEST_CASE("files: both ends of a rename are judged, and one allowed end does not hide the other") {
  FileHouse house;
  const std::uint64_t denied = house.rule("/etc/shadow");
  Event event = house.rename_by_name("/tmp/x", "/etc/shadow", denied);
  CHECK(only_file(house(event)).verdict == Verdict::deny);
  const std::uint64_t allowed = house.rule("/tmp/", Verdict::allow);
  std::get<FileBody>(event.body).generation = allowed;
  CHECK(only_file(house(event)).verdict == Verdict::none);
}

TEST_CASE("files: what a program passed is told without secrets, and judged with them; a file's own name stays") {
  FileHouse house;
  const std::string key = "ghp_" + std::string(36, 'a'), stars = "ghp_" + std::string(36, '*');
  Event event = house.file("/tmp/" + key, house.rule("**/ghp_a*"), FileOp::rename);
  CHECK(only_file(house(event)).at.path == "/tmp/" + key);
  auto& body = std::get<FileBody>(event.body);
  body.at.ns_path = "/x/" + key;
  body.to.emplace().path = "/y/" + key;
  for (const Resolution passed :
       {Resolution::user, Resolution::unresolved}) {  // the latter by a descriptor that is none
    body.resolution = passed;
    const Step step = house(event);
    const FileBody told = only_file(step);
    CHECK(told.verdict == Verdict::deny);
    CHECK(told.at.path == "/tmp/" + stars);
    CHECK(told.at.ns_path == "/x/" + stars);
    CHECK(told.to->path == "/y/" + stars);
    for (const Event& one : step.events) CHECK(to_json(one).find(key) == std::string::npos);
  }
}

TEST_CASE("files: an alert says of what was tried that it failed, but not of what is under way yet") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/etc/");
  const auto summary = [&](const std::string& path, std::int64_t result) {
    Event event = house.file(path, generation);
    std::get<FileBody>(event.body).result = result;
    return bodies_of<AlertBody>(house(event)).at(0).summary;
  };
  CHECK(summary("/etc/a", -13).find("tried to touch /etc/a (open failed: ") != std::string::npos);
  CHECK(summary("/etc/b", -115).find("opened /etc/b") != std::string::npos);
}

TEST_CASE("files: a sum is told with the path of its first call, and its bytes") {
  FileHouse house;
  house(house.first_read("/data"));
  Event sum;
  sum.slot = house.slot;
  sum.process = kCat;
  sum.body = FileSumBody{house.sum(3, 300)};
  const FileBody body = only_file(house(sum));
  CHECK(body.at.path == "/data");
  CHECK(body.op == FileOp::read);
  CHECK(body.count == 3);
  CHECK(body.bytes == 300);
}

TEST_CASE("files: a sum that began before its file was denied under another name is flagged") {
  FileHouse house;
  const std::uint64_t generation = house.rule("**/.env");
  house(house.first_read("/data", generation));
  const FileSum sum = house.sum(3, 300, generation);
  CHECK(only_file(house.monitor.complete(SumsFlipped{house.now, {sum}})).verdict == Verdict::none);
  Event alias = house.file("/srv/.env", generation);
  std::get<FileBody>(alias.body).ino = FileHouse::inode_of("/data");
  house(alias);
  const Step step = house.monitor.complete(SumsFlipped{house.now, {sum}});
  const FileBody body = only_file(step);
  CHECK(body.at.path == "/data");
  CHECK(body.verdict == Verdict::deny);
  CHECK(body.rule == "**/.env");
  CHECK(body.sensitive);
  CHECK(body.bytes == 300);
  CHECK(types_of(step) == std::vector<std::string>{"file", "alert"});
}

TEST_CASE("files: what was summed under rules that are no more is judged by those, by its own objects and path") {
  FileHouse house;
  const std::uint64_t first = house.rule("/data", Verdict::allow);
  Event read = house.first_read("/data", first);
  std::get<FileBody>(read.body).objects = {1};
  house(read);
  house.rule("/other");  // its first object, too
  const std::uint64_t last = house.rule("/data");
  CHECK(house.monitor.complete(SumsFlipped{house.now, {house.sum(3, 300, first)}}).events.empty());
  house(house.first_read("/data", last));
  CHECK(only_file(house.monitor.complete(SumsFlipped{house.now, {house.sum(3, 300, last)}})).verdict == Verdict::deny);
}

TEST_CASE("files: what is renamed within a denied folder needs not be learned; what leaves it does, a folder too") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/vault/");
  const auto learned = [&](const std::string& to) {
    Event event = house.file("/vault/x", generation, FileOp::rename);
    auto& body = std::get<FileBody>(event.body);
    body.objects = {1};
    body.to.emplace().path = to;
    return plans_of<LearnPlan>(house(event)).size();
  };
  CHECK(learned("/vault/y") == 0);
  CHECK(learned("/vaults") == 1);
}

TEST_CASE("files: what is told before it has ended teaches nothing by its second name, for it may fail yet") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/home/*/.aws/**");
  const auto learned = [&](const std::string& from, const std::string& to, std::vector<std::uint32_t> objects,
                           std::uint32_t of_first) {
    Event event = house.file(from, generation, FileOp::rename);
    auto& body = std::get<FileBody>(event.body);
    body.to.emplace().path = to;
    body.objects = std::move(objects);
    body.mounted.all = body.mounted.on_path = of_first;
    body.result = -EINPROGRESS;
    const Step step = house(event);
    CHECK(only_file(step).verdict == Verdict::deny);
    return plans_of<LearnPlan>(step).size();
  };
  CHECK(learned("/usr", "/home/u/.aws/usr", {1}, 0) == 0);
  CHECK(learned("/bin", "/home/u/.aws/bin", {}, 0) == 0);
  CHECK(learned("/home/u/.aws/x", "/x", {1}, 1) == 1);
}

TEST_CASE("files: what was only asked for by a denied string is not learned, whatever is done to it") {
  FileHouse house;
  const std::uint64_t generation = house.rule("/vault/");
  for (const FileOp op : {FileOp::open, FileOp::rename, FileOp::link}) {
    Event event = house.file("/real/x", generation, op);
    auto& body = std::get<FileBody>(event.body);
    body.at.requested = "/vault/x";
    if (op != FileOp::open) body.to.emplace().path = "/real/y";
    const Step step = house(event);
    CHECK(only_file(step).verdict == Verdict::deny);
    CHECK(plans_of<LearnPlan>(step).empty());
  }
}

TEST_CASE("files: what outlasted its rules is judged by those in force, which it names, and not by its objects") {
  FileHouse house;
  const std::uint64_t first = house.rule("/nothing");
  house.rule("/between");
  const std::uint64_t last = house.rule("/fifo");
  const auto told = [&](const std::string& path) {
    Event event = house.file(path, first);
    std::get<FileBody>(event.body).objects = {1};  // now another's number
    return only_file(house(event));
  };
  CHECK(told("/fifo").verdict == Verdict::deny);
  CHECK(told("/fifo").generation == last);
  CHECK(told("/other").verdict == Verdict::none);
}

TEST_CASE("files: a sum whose first call was lost is told without a path") {
  FileHouse house;
  const FileBody body = only_file(house.monitor.complete(SumsFlipped{house.now, {house.sum(1, 5)}}));
  CHECK(body.resolution == Resolution::unresolved);
  CHECK(body.at.path.empty());
  CHECK(body.bytes == 5);
}

TEST_CASE("files: an exit waits until everything its process did was read, and its sums were fetched") {
  FileHouse house;
  house(house.first_read("/data"));
  Step step = house(an_exit().of(kCat).in_slot(house.slot));
  CHECK(step.events.empty());
  REQUIRE(plans_of<SettlePlan>(step).size() == 1);
  house(house.file("/late", 0));
  step = house.monitor.complete(Settled{kCat.id});
  CHECK(step.events.empty());
  const auto plans = plans_of<CollectSumsPlan>(step);
  REQUIRE(plans.size() == 1);
  CHECK(plans[0].keys.size() == 1);
  step = house.monitor.complete(SumsCollected{kCat.id, {house.sum(2, 20)}});
  CHECK(types_of(step) == std::vector<std::string>{"file", "exit"});
}

TEST_CASE("files: an exit without sums is told once its records are read") {
  FileHouse house;
  house(an_exit().of(kCat).in_slot(house.slot));
  CHECK(types_of(house.monitor.complete(Settled{kCat.id})) == std::vector<std::string>{"exit"});
}

TEST_CASE("files: a process whose exit waits is not taken for lost by a reconcile") {
  FileHouse house;
  house(an_exit().of(kCat).in_slot(house.slot));
  const Step step = house.monitor.complete(Reconciled{house.now + 1, {living(kReader, house.slot)}});
  CHECK(bodies_of<LossBody>(step).empty());
  CHECK(types_of(house.monitor.complete(Settled{kCat.id})) == std::vector<std::string>{"exit"});
}

TEST_CASE("files: sums are fetched every interval while a file is summed, and forgotten once fetched") {
  FileHouse house;
  house(house.first_read("/data"));
  const auto due = house.monitor.next_deadline();
  REQUIRE(due);
  CHECK(plans_of<FlipSumsPlan>(house.monitor.on_time(*due)).size() == 1);
  CHECK(plans_of<FlipSumsPlan>(house.monitor.on_time(*due + 5'000'000'000)).empty());
  CHECK(only_file(house.monitor.complete(SumsFlipped{*due, {house.sum(1, 5)}})).at.path == "/data");
  CHECK(only_file(house.monitor.complete(SumsFlipped{*due, {house.sum(1, 5)}})).at.path.empty());
}

TEST_CASE("files: a stopped target is removed after its sums were told") {
  FileHouse house;
  house(house.first_read("/data"));
  house.stop(house.only_target().id);
  Step step = house.released(house.slot);
  CHECK(step.events.empty());
  CHECK(plans_of<FlipSumsPlan>(step).size() == 1);
  step = house.monitor.complete(SumsFlipped{house.now, {house.sum(1, 5)}});
  CHECK(types_of(step) == std::vector<std::string>{"file", "target:removed"});
}

TEST_CASE("files: a target released while a flip is under way waits for the next one") {
  FileHouse house;
  house(house.first_read("/data"));
  house.monitor.on_time(*house.monitor.next_deadline());
  house.stop(house.only_target().id);
  CHECK(house.released(house.slot).plans.empty());
  Step step = house.monitor.complete(SumsFlipped{house.now, {}});
  CHECK(step.events.empty());
  CHECK(plans_of<FlipSumsPlan>(step).size() == 1);
  CHECK(types_of(house.monitor.complete(SumsFlipped{house.now, {}})) == std::vector<std::string>{"target:removed"});
}

TEST_CASE("files: without a program that sees files, rules are refused and exits do not wait") {
  Monitored house;
  const std::uint32_t slot = house.watch(kReader);
  SetPathRules command;
  command.token = 3;
  CHECK(fault_of(house.monitor.apply(command)) == Fault::not_supported);
  CHECK(bodies_of<ExitBody>(house(an_exit().of(kReader).in_slot(slot))).size() == 1);
}
