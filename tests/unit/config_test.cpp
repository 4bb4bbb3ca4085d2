// Files good and bad, and the table of keys against what is shipped and documented.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <sstream>
#include <thread>

#include "abi/event.h"
#include "base/file_text.h"
#include "config/keys.h"
#include "config/load.h"
#include "config/override.h"
#include "config/read_file.h"
#include "support/catch.h"
#include "support/rounds.h"
#include "support/scratch.h"

using namespace aa;
using aa::test::Scratch;

namespace {

Config good(std::string_view text, const std::string& file = "a.toml") {
  Loaded loaded = parse_config(text, file);
  if (const auto* problems = std::get_if<std::vector<Problem>>(&loaded)) FAIL(problems->front().text());
  return std::get<Config>(std::move(loaded));
}

std::vector<std::string> texts(const Loaded& loaded) {
  std::vector<std::string> out;
  REQUIRE(std::holds_alternative<std::vector<Problem>>(loaded));
  for (const Problem& problem : std::get<std::vector<Problem>>(loaded)) out.push_back(problem.text());
  return out;
}

std::vector<std::string> problems_of(std::string_view text, const std::string& file = "a.toml") {
  return texts(parse_config(text, file));
}

std::string only_problem(std::string_view text, const std::string& file = "a.toml") {
  const auto problems = problems_of(text, file);
  CHECK(problems.size() == 1);
  return problems.front();
}

bool same_values(const Config& a, const Config& b) {
  return a.lifecycle == b.lifecycle && a.watched == b.watched && a.lineage == b.lineage && a.jsonl == b.jsonl &&
         a.log == b.log && a.file == b.file && a.tls == b.tls && a.paths == b.paths && a.detect == b.detect &&
         a.discovery == b.discovery && a.targets == b.targets && a.families == b.families && a.journal == b.journal &&
         a.dbus == b.dbus && a.access == b.access && a.reload == b.reload;
}

// The shipped rules are made when a configuration is loaded.
Config defaults() {
  return good("");
}

}  // namespace

TEST_CASE("config: an empty file means the defaults") {
  CHECK(same_values(good(""), defaults()));
  CHECK(same_values(good("{}", "a.json"), defaults()));
  CHECK(good("").origin.empty());
}

TEST_CASE("config: a good file's values arrive, each with its line") {
  const Config config = good(
      "[lifecycle]\nring_kib = 16\nargv_bytes = 0\nhooks = \"raw_tp\"\n[watched]\nlimit = 100\nshare = 100\n[lineage]\n"
      "keep_exited_seconds = 5\nkeep_exited_count = 6\ntext_mib = 8\nreconcile_seconds = 7\n[jsonl]\npath = "
      "\"/var/log/x\"\n"
      "max_mib = 7\nfiles = 3\nfsync = \"batch\"\ngroup = \"root\"\n[families]\nfile = \"off\"\ntls = \"off\"\ndetect "
      "= "
      "\"off\"\n[journal]\nmin_severity = \"off\"\n[dbus]\nsignals = \"off\"\n[access]\nusers = [\"root\", "
      "\"12\"]\ngroups = [\"root\"]\n"
      "[reload]\nwatch = \"on\"\n[log]\nlevel = \"debug\"\n[detect]\nmin_severity = \"warning\"\noff = "
      "[\"shell\"]\n[discovery]\nagents = \"a, "
      "/b/*/c\"\nper_uid = "
      "3\n[file]\nring_kib = 8\nhooks = \"tracepoint\"\nreads = \"each\"\ninterval_ms = 20\nsums = "
      "32\n[tls]\nring_kib = 256\ncall_kib = 2\ncalls = 18\nconnections = 17\nhooks = \"uprobe\"\nreturn_probes = "
      "\"off\"\nhold_new_library = \"on\"\nhold_ms = 50\nscope = \"watched\"\n[paths]\nshipped = "
      "\"off\"\ninclude = "
      "[]\n");
  CHECK(config.reload.watch == "on");
  CHECK(config.detect.min_severity == "warning");
  CHECK(config.detect.off == std::vector<std::string>{"shell"});
  CHECK(config.discovery == Config::Discovery{"a, /b/*/c", 3});
  CHECK(config.lifecycle == Config::Lifecycle{16, 0, "raw_tp"});
  CHECK(config.watched == Config::Watched{100, 100});
  CHECK(config.lineage == Config::LineageKeys{5, 6, 8, 7});
  CHECK(config.jsonl == Config::Jsonl{"/var/log/x", 7, 3, "batch", "root"});
  CHECK(config.families == Config::Families{"off", "off", "off"});
  CHECK(config.journal.min_severity == "off");
  CHECK(config.dbus.signals == "off");
  CHECK(config.access == Config::Access{{"root", "12"}, {"root"}});
  CHECK(config.log.level == "debug");
  CHECK(config.file == Config::File{8, "tracepoint", "each", 20, 32});
  CHECK(config.tls == Config::Tls{256, 2, 18, 17, "uprobe", "off", "on", 50, "watched"});
  CHECK(config.paths == Config::Paths{"off", {}, {}, {}});
  CHECK(config.origin.at("lifecycle.ring_kib") == "a.toml:2");
  CHECK(config.origin.size() == all_keys().size());
}

TEST_CASE("config: the file layer of path rules is the shipped list, [[paths.rules]], and files of rules") {
  Scratch scratch;
  const std::size_t shipped = defaults().paths.rules.size();
  CHECK(shipped > 50);
  const std::string more = scratch.write("more", "/srv/z\n");
  const std::string rules = scratch.write("rules", "deny /srv/x\n# no rule\nallow /srv/x/y\ninclude " + more + "\n");
  const std::string text = "[paths]\ninclude = [\"" + rules + "\"]\n[[paths.rules]]\npattern = \"/own\"\n";
  CHECK(good(text).paths.rules.size() == shipped + 4);
  const auto own = good("[paths]\nshipped = \"off\"\n" + text.substr(8)).paths.rules;
  REQUIRE(own.size() == 4);
  CHECK(own[0].pattern == "/own");
  CHECK(own[2].pattern == "/srv/x/y");
  CHECK(own[2].verdict == Verdict::allow);
  CHECK(own[3].pattern == "/srv/z");
  CHECK(own[3].verdict == Verdict::deny);
  for (const PathRule& rule : own) CHECK(rule.layer == RuleLayer::file);
}

TEST_CASE("config: every wrong line of a rules file is told with its place") {
  Scratch scratch;
  const std::string rules = scratch.write(
      "rules", "deny /ok\ndeny relative\n\tforbid /x\nallow /ok\ndeny /ok\ninclude /nonexistent\ninclude more\n");
  const auto problems = problems_of("[paths]\ninclude = [\"" + rules + "\"]\n");
  REQUIRE(problems.size() == 6);
  CHECK(problems[0].find(rules + ":2:1: the pattern \"relative\"") == 0);
  CHECK(problems[1].find(rules + ":3:2: a line begins with deny, allow or watch") == 0);
  CHECK(problems[2] == rules + ":7:1: include wants an absolute path");
  CHECK(problems[3] == rules + ":4:1: the rule for /ok says allow, and line 1 says deny of the same; keep one");
  CHECK(problems[4] == rules + ":5:1: the rule for /ok is that of line 1 again; keep one");
  CHECK(problems[5] == rules + ":6:1: include cannot be opened: No such file or directory");
}

TEST_CASE("config: a rules file that includes itself, by another too, is refused with the way it goes") {
  Scratch scratch;
  const std::string a = scratch.file("a"), b = scratch.file("b");
  scratch.write("a", "include " + b + "\n");
  scratch.write("b", "/x\ninclude " + a + "\n");
  CHECK(only_problem("[paths]\ninclude = [\"" + a + "\"]\n") ==
        b + ":2:1: include includes itself: " + a + " → " + b + " → " + a);
  CHECK(only_problem("[paths]\ninclude = [\"/none\"]\n") ==
        "a.toml:2:11: paths.include names /none, which cannot be opened: No such file or directory");
}

TEST_CASE("config: files of conf.d come after the main file in the order of their names, and the later wins") {
  Scratch scratch;
  std::filesystem::create_directory(scratch.file("conf.d"));
  const std::string main = scratch.write("config.toml", "[watched]\nlimit = 100\n[log]\nlevel = \"debug\"\n");
  scratch.write("conf.d/20-b.toml", "[watched]\nlimit = 300\n[[paths.rules]]\npattern = \"/b\"\n");
  scratch.write("conf.d/10-a.json", R"({"watched": {"limit": 200}, "paths": {"rules": [{"pattern": "/a"}]}})");
  scratch.write("conf.d/notes.txt", "nothing");
  scratch.write("conf.d/.hidden.toml", "nothing");
  const Loaded loaded = load_config({main, Missing::is_a_problem, {"watched.share=5"}});
  REQUIRE(std::holds_alternative<Config>(loaded));
  const auto& config = std::get<Config>(loaded);
  CHECK(config.watched == Config::Watched{300, 5});
  CHECK(config.log.level == "debug");
  CHECK(config.paths.own.at(0).pattern == "/a");
  CHECK(config.paths.own.at(1).pattern == "/b");
  CHECK(config.origin.at("watched.limit") ==
        scratch.file("conf.d/20-b.toml") + ":2, over " + scratch.file("conf.d/10-a.json") + ":1");
  CHECK(config.origin.at("paths.rules[1]") == scratch.file("conf.d/20-b.toml") + ":3");
  CHECK(config.files.size() == 3);
}

TEST_CASE("config: problems of all files are told in one run") {
  Scratch scratch;
  std::filesystem::create_directory(scratch.file("conf.d"));
  const std::string main = scratch.write("config.toml", "[watched]\nlimit = 1\n");
  scratch.write("conf.d/a.toml", "[watchd]\n");
  scratch.write("conf.d/b.json", "{");
  const auto problems = texts(load_config({main, Missing::is_a_problem, {"x=1"}}));
  REQUIRE(problems.size() == 4);
  CHECK(problems[0].find(main + ":2:9: watched.limit must be 16") == 0);
  CHECK(problems[1].find(scratch.file("conf.d/a.toml") + ":1:1: watchd is not a section") == 0);
  CHECK(problems[2].find(scratch.file("conf.d/b.json") + ":1:") == 0);
  CHECK(problems[3].find("--set x=1: there is no key 'x'") == 0);
}

TEST_CASE("config: a file that others can write to, or could have put there, is refused") {
  Scratch scratch;
  const std::string main = scratch.write("config.toml", "");
  REQUIRE(::chmod(main.c_str(), 0664) == 0);
  CHECK(texts(load_config({main, Missing::is_a_problem, {}})).front().find("can be written by others (mode 0664)") !=
        std::string::npos);
  REQUIRE(::chmod(main.c_str(), 0644) == 0);
  std::filesystem::create_directory(scratch.file("conf.d"));
  REQUIRE(::chmod(scratch.file("conf.d").c_str(), 0777) == 0);
  CHECK(texts(load_config({main, Missing::is_a_problem, {}})).front() ==
        scratch.file("conf.d") + ": can be written by others (mode 0777); take that away: chmod go-w");
  std::filesystem::create_symlink(main, scratch.file("conf.d/link.toml"));
  CHECK(texts(load_config({scratch.file("conf.d/link.toml"), Missing::is_a_problem, {}}))
            .front()
            .find("leads through the symbolic link") != std::string::npos);
  if (::geteuid() != 0) return;  // root alone can give a file away
  REQUIRE(::chmod(scratch.file("conf.d").c_str(), 0755) == 0);
  REQUIRE(::chown(main.c_str(), 12'345, 0) == 0);
  CHECK(texts(load_config({main, Missing::is_a_problem, {}})).front().find("belongs to the user 12345") !=
        std::string::npos);
}

TEST_CASE("config: a link that others put into a file's place while it is being opened is never followed") {
  Scratch scratch;
  const std::string folder = scratch.file("open");
  std::filesystem::create_directory(folder);
  REQUIRE(::chmod(folder.c_str(), 0777) == 0);
  const std::string file = scratch.write("open/config.toml", "good");
  std::filesystem::create_symlink(scratch.write("secret.toml", "secret"), folder + "/link");
  std::atomic<bool> done = false;
  std::thread swaps([&] {
    while (!done) ::renameat2(AT_FDCWD, file.c_str(), AT_FDCWD, (folder + "/link").c_str(), RENAME_EXCHANGE);
  });
  std::map<std::string, int> read;
  const std::uint64_t rounds = test::rounds(20'000);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const auto text = read_file(file, 100);
    ++read[text ? *text : "refused"];
  }
  done = true;
  swaps.join();
  CHECK(read["secret"] == 0);
  CHECK(read["good"] > 0);
  CHECK(read["refused"] > 0);
}

TEST_CASE("config: every item of a list that is wrong is told, each at its place") {
  const auto problems =
      texts(parse_config("[access]\nusers = [\"nobody\", \"no-such-user\", \"root\",\n  5, \"nor-this\"]\n"
                         "[[paths.rules]]\npattern = \"/x\"\nops = [\"peek\", \"read\", \"poke\"]\n",
                         "a.toml"));
  REQUIRE(problems.size() == 5);
  CHECK(problems[0].find("a.toml:2:20: access.users has \"no-such-user\"") == 0);
  CHECK(problems[1].find("a.toml:3:3: access.users wants a list of strings") == 0);
  CHECK(problems[2].find("a.toml:3:6: access.users has \"nor-this\"") == 0);
  CHECK(problems[3].find("a.toml:6:8: paths.rules[0].ops the operation \"peek\"") == 0);
  CHECK(problems[4].find("a.toml:6:24: paths.rules[0].ops the operation \"poke\"") == 0);
}

TEST_CASE("config: targets are who the file says, each once") {
  const Config config = good(
      "[[targets]]\nexe = \"/opt/*/bin/agent\"\nname = \"agents\"\ntls = \"off\"\nimport = "
      "[\"claude:~/.claude/settings.json\", \".gitignore\"]\n[[targets]]\nunit = "
      "\"nginx\"\n[[targets]]\nuser = \"root\"\n[[targets]]\ncgroup = \"/system.slice\"\n[[targets]]\npid = 1\n");
  using By = TargetWish::By;
  REQUIRE(config.targets.size() == 5);
  CHECK(config.targets[0] ==
        TargetWish{
            By::exe, "/opt/*/bin/agent", 0, "agents", TlsLevel::off, {"claude:~/.claude/settings.json", ".gitignore"}});
  CHECK(config.targets[1] == TargetWish{By::unit, "nginx.service", 0, "", TlsLevel::redacted, {}});
  CHECK(config.targets[2] == TargetWish{By::user, "root", 0, "", TlsLevel::redacted, {}});
  CHECK(config.targets[3] == TargetWish{By::cgroup, "/system.slice", 0, "", TlsLevel::redacted, {}});
  CHECK(config.targets[4] == TargetWish{By::pid, "1", 1, "", TlsLevel::redacted, {}});
}

TEST_CASE("config: rows of the detector's table add up over files, and are judged together") {
  const Scratch scratch;
  std::filesystem::create_directory(scratch.file("conf.d"));
  scratch.write("conf.d/a.toml", "[[detect.table]]\nrow = \"family vault vault\"\n[detect]\noff = [\"shell\"]\n");
  scratch.write("conf.d/b.json", R"({"detect": {"table": [{"row": "rule v escape info | command vault | X."}]}})");
  scratch.write("config.toml", "");
  const Loaded loaded = load_config({scratch.file("config.toml"), Missing::is_a_problem, {}});
  REQUIRE(std::holds_alternative<Config>(loaded));
  const auto& config = std::get<Config>(loaded);
  CHECK(detect_change_of(config) ==
        DetectChange{{"shell"}, {"family vault vault", "rule v escape info | command vault | X."}});
  CHECK(detect_change_of(good(print_config(config))) == detect_change_of(config));
  scratch.write("conf.d/a.toml", "");
  CHECK(texts(load_config({scratch.file("config.toml"), Missing::is_a_problem, {}})) ==
        std::vector<std::string>{scratch.file("conf.d/b.json") +
                                 ":1:23: detect.table[0].row cannot be used: no family is called \"vault\""});
}

TEST_CASE("config: the same in JSON") {
  const Config config = good(R"({"watched": {"limit": 100, "share": 50}, "log": {"level": "error"}})", "a.json");
  CHECK(config.watched == Config::Watched{100, 50});
  CHECK(config.log.level == "error");
  CHECK(config.origin.at("log.level") == "a.json:1");
}

TEST_CASE("config: a misspelt key is refused and the nearest one named") {
  CHECK(only_problem("[watched]\nlimitt = 100\n") ==
        "a.toml:2:10: watched.limitt is not a key; the nearest is watched.limit");
  CHECK(only_problem("[watchd]\nlimit = 100\n").find("watchd is not a section; the nearest is watched") !=
        std::string::npos);
  CHECK(only_problem("ring_kb = 4\n").find("the nearest key is lifecycle.ring_kib") != std::string::npos);
  CHECK(only_problem("watched = 4\n").find("is a section") != std::string::npos);
  CHECK(only_problem(R"({"log": {"levle": "info"}})", "a.json") ==
        "a.json:1:19: log.levle is not a key; the nearest is log.level");
}

TEST_CASE("config: a value of the wrong type is refused with what is wanted") {
  CHECK(only_problem("[watched]\nlimit = \"100\"\n") ==
        "a.toml:2:9: watched.limit wants an integer (16 to 1048576), not a string");
  CHECK(only_problem("[jsonl]\npath = 1\n").find("wants a string (an absolute path or empty), not an integer") !=
        std::string::npos);
  for (const std::string_view value : {"1.5", "true", "[1]", "{a = 1}", "2026-01-01"}) {
    CAPTURE(value);
    CHECK(only_problem("[watched]\nlimit = " + std::string(value) + "\n").find("wants an integer") !=
          std::string::npos);
  }
  for (const std::string_view value : {"1.5", "true", "[1]", "{}", "null", "18446744073709551615", "1e3"}) {
    CAPTURE(value);
    CHECK(only_problem(R"({"watched": {"limit": )" + std::string(value) + "}}", "a.json").find("wants an integer") !=
          std::string::npos);
  }
}

TEST_CASE("config: every integer is refused below and above its range, and accepted at its ends") {
  for (const Key& key : all_keys()) {
    const auto* integer = std::get_if<IntegerKey>(&key.type);
    if (integer == nullptr) continue;
    CAPTURE(key.dotted());
    Config config;
    const auto low = static_cast<std::int64_t>(integer->low);
    const auto high = static_cast<std::int64_t>(integer->high);
    CHECK_FALSE(store(key, low, config));
    CHECK_FALSE(store(key, high, config));
    CHECK(store(key, low - 1, config));
    CHECK(store(key, high + 1, config));
    CHECK(store(key, INT64_MIN, config));
    CHECK(store(key, INT64_MAX, config));
    CHECK(std::get<std::uint64_t>(value_of(key, config)) == integer->high);  // refusals changed nothing
  }
}

TEST_CASE("config: a ring's size is a power of two") {
  CHECK(only_problem("[lifecycle]\nring_kib = 8191\n").find("a power of two; 8191 is not") != std::string::npos);
}

TEST_CASE("config: argv can be kept as long as a record allows") {
  for (const Key& key : all_keys()) {
    if (key.dotted() == "lifecycle.argv_bytes") CHECK(std::get<IntegerKey>(key.type).high == AA_ARGV_LIMIT);
  }
}

TEST_CASE("config: a path is absolute and a level one that exists") {
  CHECK(only_problem("[jsonl]\npath = \"relative\"\n").find("an absolute path or empty") != std::string::npos);
  CHECK(only_problem("[jsonl]\npath = \"/a\\u0000b\"\n").find("an absolute path") != std::string::npos);
  CHECK(only_problem("[log]\nlevel = \"loud\"\n").find("must be one of \"debug\", \"info\"") != std::string::npos);
}

TEST_CASE("config: a share above the limit contradicts it, also when only the share is given") {
  CHECK(only_problem("[watched]\nlimit = 100\nshare = 101\n").find("a.toml:3:9: watched.share is 101") == 0);
  CHECK(only_problem("[watched]\nshare = 65537\n").find("a.toml:2:9: watched.share is 65537") == 0);
}

TEST_CASE("config: all problems are told at once, from top to bottom") {
  const auto problems = problems_of("x = 1\n[watched]\nlimit = 1\nbad = 2\n[log]\nlevel = 3\n[nothing]\n");
  REQUIRE(problems.size() == 5);
  CHECK(problems[0].find("a.toml:1:") == 0);
  CHECK(problems[1].find("a.toml:3:") == 0);
  CHECK(problems[2].find("a.toml:4:") == 0);
  CHECK(problems[3].find("a.toml:6:") == 0);
  CHECK(problems[4].find("a.toml:7:") == 0);
}

TEST_CASE("config: text that cannot be parsed is refused with its place") {
  CHECK(only_problem("[watched\n").find("a.toml:1:") == 0);
  CHECK(only_problem("[log]\nlevel = \"info\"\nlevel = \"info\"\n").find("a.toml:3:") == 0);
  CHECK(only_problem("[log]\nlevel = \"\xFF\"\n").find("is not TOML") != std::string::npos);
  CHECK(only_problem("{\n  \"log\": }\n", "a.json").find("a.json:2:10: is not JSON") == 0);
  CHECK(only_problem("", "a.json").find("a.json:1:1: is not JSON") == 0);
  CHECK(only_problem("[1]", "a.json").find("wants an object") != std::string::npos);
  CHECK(only_problem("{\"log\": {\"level\": 1e999}}", "a.json").find("a number no integer can hold") !=
        std::string::npos);
  CHECK(only_problem(std::string(100'000, '['), "a.json") == "a.json:1:18: is nested too deeply");
  CHECK_FALSE(problems_of(std::string(100'000, '[')).empty());
}

TEST_CASE("config: a section's name that cannot begin so is refused, not asserted upon") {
  // toml++ 3.3 built header-only with assertions aborts here; the packaged library answers.
  for (const std::string_view text : {"[.a]", "[=]", "[#]", "[\n", "[[[a]]]", "[[.a]]", "[!]", "a.[=1", "a..b=1"}) {
    CAPTURE(text);
    CHECK(only_problem(text).find("is not TOML") != std::string::npos);
  }
}

TEST_CASE("config: a key given twice in JSON is refused, in an array of objects too") {
  CHECK(only_problem(R"({"log": {"level": "info", "level": "debug"}})", "a.json").find("level is given twice") !=
        std::string::npos);
  CHECK(only_problem(R"({"log": {}, "log": {}})", "a.json").find("log is given twice") != std::string::npos);
}

TEST_CASE("config: a name with control characters cannot disturb the terminal") {
  CHECK(only_problem("[watched]\n\"a\\u001b[31m\\n\" = 1\n").find('\x1B') == std::string::npos);
  CHECK(only_problem("[watched]\n\"a\\u001b[31m\\n\" = 1\n").find('\n') == std::string::npos);
}

TEST_CASE("config: a missing file means the defaults only when nobody asked for it") {
  const Scratch scratch;
  const Loaded loaded = load_config({scratch.file("none.toml"), Missing::means_defaults, {}});
  REQUIRE(std::holds_alternative<Config>(loaded));
  CHECK(same_values(std::get<Config>(loaded), defaults()));
  CHECK(texts(load_config({scratch.file("none.toml"), Missing::is_a_problem, {}})).front().find("No such file") !=
        std::string::npos);
}

TEST_CASE("config: what is no regular file is refused and never waited for") {
  const Scratch scratch;
  CHECK(texts(load_config({scratch.file(""), Missing::means_defaults, {}})).front().find("not a regular file") !=
        std::string::npos);
  const std::string fifo = scratch.file("fifo.toml");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(texts(load_config({fifo, Missing::means_defaults, {}})).front().find("not a regular file") !=
        std::string::npos);
  CHECK(texts(load_config({"/dev/null", Missing::means_defaults, {}})).front().find("not a regular file") !=
        std::string::npos);
}

TEST_CASE("config: a file that may not be read, or a loop of links, is refused even as the default") {
  const Scratch scratch;
  std::filesystem::create_symlink("loop.toml", scratch.file("loop.toml"));
  CHECK(texts(load_config({scratch.file("loop.toml"), Missing::means_defaults, {}})).front().find("cannot be opened") !=
        std::string::npos);
  if (::geteuid() == 0) return;  // root reads everything
  const std::string closed = scratch.write("closed.toml", "");
  REQUIRE(::chmod(closed.c_str(), 0) == 0);
  CHECK(texts(load_config({closed, Missing::means_defaults, {}})).front().find("Permission denied") !=
        std::string::npos);
}

TEST_CASE("config: a file larger than 1 MiB is refused") {
  const Scratch scratch;
  const std::string large = scratch.write("large.toml", std::string(1024 * 1024 + 1, '\n'));
  CHECK(texts(load_config({large, Missing::means_defaults, {}})).front().find("larger than 1 MiB") !=
        std::string::npos);
  const std::string fits = scratch.write("fits.toml", std::string(1024 * 1024, '\n'));
  CHECK(std::holds_alternative<Config>(load_config({fits, Missing::means_defaults, {}})));
}

TEST_CASE("config: what is printed loads as the same values and says where each came from") {
  Config config =
      good("[jsonl]\npath = \"/a \\\"b\\\\\\u0001\\u007f\\n\u00e9\"\n[log]\nlevel = \"error\"\n", "odd\nname.toml");
  const std::string printed = print_config(config);
  CHECK(same_values(good(printed), config));
  CHECK(good(printed).origin.size() == all_keys().size());
  CHECK(printed.find("level = \"error\"  # odd\\x0aname.toml:4\n") != std::string::npos);
  CHECK(printed.find("ring_kib = 8192  # default\n") != std::string::npos);
}

TEST_CASE("config: one program is meant once, whatever links lead to it") {
  Scratch scratch;
  const std::string real = scratch.write("program", ""), link = scratch.file("link");
  std::filesystem::create_symlink(real, link);
  CHECK(only_problem("[[targets]]\nexe = \"" + link + "\"\n[[targets]]\nexe = \"" + real + "\"\n")
            .find("means the same as the target at a.toml:1") != std::string::npos);
}

TEST_CASE("config: rules of files are printed where they stand, and the print loads as the same") {
  Scratch scratch;
  const std::string more = scratch.write("more.rules", "allow /srv/x/y\n");
  const std::string file = scratch.write("some.rules", "\ndeny ops=write target=a /srv/x/\ninclude " + more + "\n");
  const Config config = good("[paths]\ninclude = [\"" + file + "\"]\n[[paths.rules]]\npattern = \"/own\"\n");
  const std::string printed = print_config(config);
  CHECK(printed.find("\n# " + file + ":2: deny ops=write target=a /srv/x/\n# " + more + ":1: allow /srv/x/y\n") !=
        std::string::npos);
  CHECK(same_values(good(printed), config));
}

TEST_CASE("config: a pid is that of a process that lives, not of a thread, of one that ended or of the kernel's") {
  std::promise<void> done;
  std::promise<pid_t> began;
  std::thread other([&, wait = done.get_future()] {
    began.set_value(static_cast<pid_t>(::syscall(SYS_gettid)));
    wait.wait();
  });
  const std::string thread = std::to_string(began.get_future().get()), self = std::to_string(::getpid());
  CHECK(only_problem("[[targets]]\npid = " + thread + "\n") ==
        "a.toml:2:7: targets[0].pid is " + thread + ", a thread of the process " + self + "; give the process");
  done.set_value();
  other.join();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t ended{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) == 0);
  const std::string zombie = std::to_string(child);
  CHECK(only_problem("[[targets]]\npid = " + zombie + "\n") ==
        "a.toml:2:7: targets[0].pid is " + zombie + ", and that process has ended");
  ::waitpid(child, nullptr, 0);
  if (std::ifstream("/proc/2/comm").good() && file_text("/proc/2/comm") == "kthreadd\n")
    CHECK(only_problem("[[targets]]\npid = 2\n").find("a thread of the kernel's own") != std::string::npos);
  CHECK(good("[[targets]]\npid = " + self + "\n").targets.size() == 1);
}

TEST_CASE("config: a value on the command line goes over the file's, or is refused and changes nothing") {
  Config config;
  CHECK_FALSE(override_config("watched.limit=40000", config));
  CHECK(config.watched.limit == 40'000);
  CHECK_FALSE(override_config("jsonl.path=/a=b", config));
  CHECK(config.jsonl.path == "/a=b");
  CHECK_FALSE(override_config("paths.include=/a,/b", config));
  CHECK(config.paths.include == std::vector<std::string>{"/a", "/b"});
  CHECK_FALSE(override_config("detect.off=", config));
  CHECK(config.detect.off.empty());
  const Config before = config;
  for (const std::string_view wrong :
       {"watched.limit", "watched.limit=", "watched.limit=1", "watched.limit=9x", "watched.limit= 99", "nothing=1",
        "=1", "log.level=loud", "jsonl.path=x", "paths.include=/a,", "paths.include=,/a", "paths.include=/a,/a"}) {
    CAPTURE(wrong);
    CHECK(override_config(wrong, config));
    CHECK(same_values(config, before));
  }
}

TEST_CASE("config: a share that nobody gave follows a lower limit; one that was given contradicts it") {
  Scratch scratch;
  const std::string main = scratch.write("config.toml", "");
  const auto share = [&](std::vector<std::string> set) {
    return load_config({main, Missing::is_a_problem, std::move(set)});
  };
  CHECK(std::get<Config>(share({"watched.limit=1024"})).watched.share == 1024);
  CHECK(texts(share({"watched.limit=1024", "watched.share=1025"})).front() ==
        "--set watched.share=1025: watched.share is 1025, more than watched.limit, which is 1024; give share at most "
        "that");
}

TEST_CASE("config: a key of ever so many parts is refused with its line, and takes nobody's stack") {
  std::string parts = "a";
  for (int i = 0; i < 60'000; ++i) parts += ".a";
  for (const std::string& text :
       {"\n" + parts + " = 1\n", "\n[" + parts + "]\n", "\n[[" + parts + "]]\n", "\nx = {" + parts + " = 1}\n"})
    CHECK(only_problem(text) == "a.toml:2:1: has a key of more than 16 parts");
  CHECK(good("# a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s\n[jsonl]\npath = \"/a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r\"\n")
            .jsonl.path != "");
}

TEST_CASE("config: JSON with a byte that is 0 is refused, not read to there") {
  CHECK(only_problem(std::string_view("{}\n\0garbage", 11), "a.json") == "a.json:2:1: holds a byte that is 0");
}

TEST_CASE("config: users and groups may be any id there can be") {
  CHECK(good("[access]\nusers = [\"1834600500\", \"4294967294\"]\n").access.users.size() == 2);
  CHECK(only_problem("[access]\nusers = [\"4294967295\"]\n").find("no user is called so") != std::string::npos);
}

TEST_CASE("config: a name given twice does not hide what else is wrong with its file") {
  CHECK(problems_of("[watched]\nlimit = 1024\nlimit = 2048\n[jsonl]\nfsnc = 1\n") ==
        std::vector<std::string>{"a.toml:3:9: is not TOML: "
                                 "Error while parsing key-value pair: cannot redefine existing integer 'limit'",
                                 "a.toml:5:8: jsonl.fsnc is not a key; the nearest is jsonl.fsync"});
  CHECK(problems_of("{\"watched\": {\"limit\": 1024, \"limit\": 1}}", "a.json").size() == 2);
  CHECK(problems_of("[watched]\n[jsonl]\nfsnc = 1\n[watched]\nlimitt = 1\n").size() ==
        1);  // what stands below is whose?
  CHECK(problems_of("[discovery]\nagents = []\nagents = [\n\"x\"\n]\n[a\n").size() == 1);
}

TEST_CASE("config: a target that is there already is named by where it stands, whatever bad ones come before") {
  CHECK(problems_of("[[targets]]\n[[targets]]\nexe = \"a\"\n[[targets]]\nexe = \"a\"\n").back() ==
        "a.toml:4:1: targets[2] means the same as the target at a.toml:2; keep one");
}

TEST_CASE("config: conf.d that is a link to nowhere is refused, not taken for none") {
  Scratch scratch;
  const std::string main = scratch.write("config.toml", "");
  std::filesystem::create_symlink(scratch.file("nowhere"), scratch.file("conf.d"));
  CHECK(texts(load_config({main, Missing::is_a_problem, {}})).at(0) ==
        scratch.file("conf.d") + ": cannot be examined: No such file or directory");
}

TEST_CASE("config: what is given on the command line is text") {
  Config config;
  CHECK(override_config("jsonl.path=/\xff", config) == "is no text: its bytes are not UTF-8");
}

TEST_CASE("config: a program's name does not begin or end in spaces") {
  CHECK(good("[[targets]]\nexe = \" claude \"\n").targets.at(0).what == "claude");
}

TEST_CASE("config: more than can be looked for, or in force, is refused when it is read") {
  std::string targets, rules;
  for (int i = 0; i < 1'020; ++i) targets += "[[targets]]\nexe = \"x" + std::to_string(i) + "\"\n";
  CHECK(only_problem(targets) ==
        "a.toml:2039:1: targets has programs and users that make 1033 with discovery.agents; at most 1024 are looked "
        "for");
  if (test::sparse() > 1) return;
  Scratch scratch;
  for (int i = 0; i < 100'000; ++i) rules += "/srv/" + std::to_string(i) + "\n";
  const std::string file = scratch.write("many.rules", rules);
  const std::string many = only_problem("[paths]\nshipped = \"on\"\ninclude = [\"" + file + "\"]\n");
  CHECK(many.starts_with("a.toml:3:11: paths says too much"));
  CHECK(many.find("can be in force") != std::string::npos);
}

TEST_CASE("config: no link that others made or could replace is followed, on the way through others neither") {
  Scratch scratch;
  std::filesystem::create_directory(scratch.file("open"));
  const std::string real = scratch.write("real.toml", "");
  std::filesystem::create_symlink(real, scratch.file("open/link.toml"));
  std::filesystem::create_symlink("open/link.toml", scratch.file("by-link.toml"));
  std::filesystem::create_directory_symlink("open", scratch.file("folder"));
  const auto said = [&](const std::string& name) {
    const Loaded loaded = load_config({scratch.file(name), Missing::is_a_problem, {}});
    return std::holds_alternative<Config>(loaded) ? "fine" : texts(loaded).front();
  };
  for (const char* name : {"open/link.toml", "by-link.toml", "folder/link.toml"}) CHECK(said(name) == "fine");
  REQUIRE(::chmod(scratch.file("open").c_str(), 0777) == 0);
  for (const char* name : {"open/link.toml", "by-link.toml", "folder/link.toml"})
    CHECK(said(name).find("/open/link.toml, in a folder that others can write to") != std::string::npos);
  if (::geteuid() != 0) return;  // root alone can give things away
  REQUIRE(::chmod(scratch.file("open").c_str(), 0755) == 0);
  REQUIRE(::chown(scratch.file("open").c_str(), 12'345, 0) == 0);
  CHECK(said("by-link.toml").find("in a folder that others can write to") != std::string::npos);
  REQUIRE(::chown(scratch.file("open").c_str(), 0, 0) == 0);
  REQUIRE(::lchown(scratch.file("open/link.toml").c_str(), 12'345, 0) == 0);
  CHECK(said("folder/link.toml").find("which belongs to the user 12345") != std::string::npos);
}
