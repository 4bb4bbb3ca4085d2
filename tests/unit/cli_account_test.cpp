// The account of `aactl run`: what a person reads of a command and everything below it.
#include <nlohmann/json.hpp>

#include "account.h"
#include "support/catch.h"

using namespace aa;
using nlohmann::json;

namespace {

// Tells an account what happened, in the words of the contract.
class Story {
 public:
  explicit Story(Style style = {}, bool failed_execs = false) : account(style, failed_execs) {}

  Story& fork(int parent, int child) {
    parents_[child] = parent;
    return tell(
        {{"type", "fork"}, {"process", who(parent)}, {"fork", {{"child_id", id(child)}, {"child_pid", child}}}});
  }
  Story& exec(int pid, std::vector<std::string> argv, int result = 0) {
    json process = who(pid);
    if (result == 0) process["exe"] = "/bin/" + argv.front();
    return tell({{"type", "exec"},
                 {"process", process},
                 {"exec", {{"filename", "/bin/" + argv.front()}, {"argv", argv}, {"result", result}}}});
  }
  Story& exit(int pid, int code = 0, int signal = 0) {
    return tell({{"type", "exit"},
                 {"process", who(pid)},
                 {"exit", {{"code", code}, {"signal", signal}, {"core_dumped", false}, {"runtime_ns", 2'000'000}}}});
  }
  Story& after(std::uint64_t ms) {
    now_ += ms;
    text += account.release(now_);
    return *this;
  }
  Story& tell(const json& event) {
    text += account.add(event, now_);
    return *this;
  }
  std::string end() { return text + account.finish(); }

  Account account;
  std::string text;

 private:
  static std::string id(int pid) { return std::to_string(pid) + "-1"; }
  json who(int pid) {
    json process = {{"id", id(pid)}, {"pid", pid}, {"comm", "sh"}};
    if (parents_.count(pid) != 0) process["parent_id"] = id(parents_[pid]);
    return process;
  }
  std::map<int, int> parents_;
  std::uint64_t now_ = 1000;
};

// The text with runs of blanks made one, so that a test reads like what it expects.
std::string squeezed(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' || out.empty() || out.back() != ' ') out += c;
  }
  return out;
}

}  // namespace

TEST_CASE("account: a short process takes one line, with its duration and how it ended") {
  Story story;
  story.exec(10, {"true"}).exit(10);
  CHECK(squeezed(story.end()) == "10 true 2.0 ms ok\n");
}

TEST_CASE("account: a longer one is shown when it starts and again when it ends") {
  Story story;
  story.exec(10, {"sh", "-c", "sleep 1"}).after(Account::kHoldMs);
  CHECK(story.text == "10 sh -c 'sleep 1'\n");
  CHECK(squeezed(story.exit(10, 3).end()) == "10 sh -c 'sleep 1'\n└─ 10 sh 2.0 ms exit 3\n");
}

TEST_CASE("account: nothing is held back longer than the hold") {
  Story story;
  story.exec(10, {"sh"});
  REQUIRE(story.account.next_deadline() == 1000 + Account::kHoldMs);
  CHECK(story.after(Account::kHoldMs).text == "10 sh\n");
  CHECK(!story.account.next_deadline());
}

TEST_CASE("account: children stand below their parents, level by level") {
  Story story;
  story.exec(10, {"make"}).after(50).fork(10, 11).exec(11, {"cc"}).after(50).fork(11, 12).exec(12, {"as"}).exit(12);
  story.exit(11).exit(10);
  CHECK(squeezed(story.end()) ==
        "10 make\n"
        "├─ 11 cc\n"
        "│ ├─ 12 as 2.0 ms ok\n"
        "│ └─ 11 cc 2.0 ms ok\n"
        "└─ 10 make 2.0 ms ok\n");
}

TEST_CASE("account: a line below a process that is not its parent names its parent") {
  Story story;
  story.exec(10, {"make"}).after(50).fork(10, 11).exec(11, {"cc"}).after(50).fork(10, 12).exec(12, {"cc"}).after(50);
  story.fork(11, 13).exec(13, {"as"});
  CHECK(story.end().find("13 as  (child of 11)") != std::string::npos);
}

TEST_CASE("account: a forked copy that ends well is not shown") {
  Story story;
  story.exec(10, {"sh"}).fork(10, 11).exit(11).exit(10);
  CHECK(squeezed(story.end()) == "10 sh 2.0 ms ok\n");
  CHECK(story.account.totals().processes == 2);
}

TEST_CASE("account: a forked copy is shown when it ends badly or has a child that runs something") {
  Story badly;
  badly.exec(10, {"sh"}).fork(10, 11).exit(11, 0, 11).exit(10);
  CHECK(squeezed(badly.end()) == "10 sh 2.0 ms ok\n├─ 11 sh (forked) 2.0 ms killed by SIGSEGV\n");
  Story child;
  child.exec(10, {"sh"}).fork(10, 11).fork(11, 12).exec(12, {"ls"}).exit(12).exit(11).exit(10);
  CHECK(squeezed(child.end()) == "10 sh 2.0 ms ok\n├─ 11 sh (forked) 2.0 ms ok\n│ ├─ 12 ls 2.0 ms ok\n");
}

TEST_CASE("account: a process that runs a second program shows both") {
  Story story;
  story.exec(10, {"env", "ls"}).exec(10, {"ls"}).exit(10);
  CHECK(squeezed(story.end()) == "10 env ls\n10 → ls 2.0 ms ok\n");
}

TEST_CASE("account: failed execs are counted, and shown only when asked for") {
  Story quiet;
  quiet.exec(10, {"sh"}).exec(10, {"git"}, -2).exit(10);
  CHECK(squeezed(quiet.end()) == "10 sh 2.0 ms ok\n");
  CHECK(quiet.account.totals().failed_execs == 1);
  Story verbose({}, true);
  verbose.exec(10, {"sh"}).exec(10, {"git"}, -2).exit(10);
  CHECK(verbose.end().find("10 ✗ /bin/git: No such file or directory\n") != std::string::npos);
}

TEST_CASE("account: a copy that could not run its program says which") {
  Story story;
  story.exec(10, {"sh"}).fork(10, 11).exec(11, {"nosuch"}, -2).exit(11, 127).exit(10);
  CHECK(squeezed(story.end()).find("11 ✗ /bin/nosuch: No such file or directory 2.0 ms exit 127") != std::string::npos);
}

TEST_CASE("account: bytes of a program never reach the terminal raw") {
  Story story;
  story.exec(10, {"a\x1b]0;x\x07", "\xe2\x80\xae"}).exit(10, 1).fork(10, 11).exit(11, 1);
  const std::string text = story.end();
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find('\x07') == std::string::npos);
  CHECK(text.find("\xe2\x80\xae") == std::string::npos);
}

TEST_CASE("account: on a terminal no line is wider than it, elsewhere nothing is cut") {
  const std::string longest(300, 'x');
  Story narrow({false, 70});
  narrow.exec(10, {"echo", longest}).exit(10);
  CHECK(columns(narrow.end()) <= 71);
  Story file;
  file.exec(10, {"echo", longest}).exit(10);
  CHECK(file.end().find(longest) != std::string::npos);
}

TEST_CASE("account: losses, gaps and alerts are told in their place") {
  Story story;
  story.exec(10, {"sh"});
  story.tell({{"type", "loss"}, {"loss", {{"family", "exec"}, {"cause", "ring-full"}, {"count", 3}}}});
  story.tell({{"type", "loss"}, {"loss", {{"family", "subscriber"}, {"cause", "slow-reader"}, {"count", 4}}}});
  story.tell({{"type", "alert"}, {"alert", {{"severity", "warning"}, {"summary", "the table is full"}}}});
  story.tell({{"type", "gap"}, {"gap", {{"reason", "restart"}}}});
  CHECK(story.end() ==
        "10 sh\n! 3 events lost: ring-full (exec)\n! 4 events lost: they were not read fast enough\n"
        "! warning: the table is full\n! not observed: restart\n");
  CHECK(story.account.totals().lost_before == 3);
  CHECK(story.account.totals().lost_here == 4);
}

TEST_CASE("account: totals count processes, programs, levels and events") {
  Story story;
  story.exec(10, {"sh"}).fork(10, 11).exec(11, {"ls"}).exit(11).fork(10, 12).exec(12, {"ls"}).exit(12).exit(10);
  const auto& totals = story.account.totals();
  CHECK(totals.processes == 3);
  CHECK(totals.ended == 3);
  CHECK(totals.programs == 2);
  CHECK(totals.deepest == 2);
  CHECK(totals.delivered == 8);
}

TEST_CASE("account: events that came without their fork still find their place") {
  Story story;
  story.exec(10, {"sh"})
      .tell({{"type", "exec"},
             {"process", {{"id", "12-1"}, {"pid", 12}, {"parent_id", "10-1"}, {"exe", "/bin/ls"}}},
             {"exec", {{"argv", {"ls"}}, {"result", 0}}}});
  CHECK(story.end() == "10 sh\n├─ 12 ls\n");
}

TEST_CASE("summary: one line says it all when all went well") {
  Account::Totals totals;
  totals.processes = 12, totals.programs = 1, totals.deepest = 3, totals.delivered = 40;
  CHECK(summary_text(totals, {}, {}) ==
        "12 processes, 1 distinct program, deepest level 3; 40 events delivered, 0 events lost\n");
}

TEST_CASE("summary: failures, alerts, refusals and what still runs have lines of their own") {
  Account::Totals totals;
  totals.processes = 1, totals.failed_execs = 2, totals.alerts = 1, totals.delivered = 1;
  Ending ending;
  ending.lost = 1, ending.refused = 2, ending.running = 1;
  ending.target = "my agent";
  ending.incomplete = "why\x1b";
  CHECK(summary_text(totals, ending, {}) ==
        "1 process, 0 distinct programs, deepest level 0; 1 event delivered, 1 event lost\n"
        "2 attempts to run a program failed\n"
        "1 alert\n"
        "2 processes were refused: the target's share, or the whole table of watched processes, was full; what they "
        "did was "
        "not seen\n"
        "1 process is still running and watched: aactl events -f --target 'my agent'\n"
        "this account is incomplete: why\\x1b\n");
}
