// aactl's words: quoting, durations, statuses, event lines, trees.
#include <nlohmann/json.hpp>

#include "past.h"
#include "render.h"
#include "support/catch.h"
#include "tree_text.h"

using namespace aa;

TEST_CASE("since: times ago, seconds, dates and UTC become a time as events write it; anything else nothing") {
  CHECK(since_text("10m", 1'000'000) == "1970-01-12T13:36:40.000000000Z");
  CHECK(since_text("2h", 1'000'000) == "1970-01-12T11:46:40.000000000Z");
  CHECK(since_text("@0", 5) == "1970-01-01T00:00:00.000000000Z");
  CHECK(since_text("2026-11-22T13:00:01Z", 0) == "2026-11-22T13:00:01.000000000Z");
  CHECK(since_text("2026-11-22 13:00", 0).size() == 30);
  CHECK(since_text("2026-11-22", 0).size() == 30);
  for (const char* nonsense :
       {"", "m", "10", "10x", "-5m", "@", "@-1", "yesterday", "2026-13-40", "99999999999999999999m"})
    CHECK(since_text(nonsense, 1'000'000).empty());
}

TEST_CASE("since: lines are taken by time, type, target and severity") {
  const std::string alert =
      R"({"v":1,"seq":7,"time":"2026-11-22T13:00:01.000000000Z","type":"alert","target":{"id":"x","name":"claude"},"alert":{"severity":"warning"}})";
  CHECK(PastFilter{"2026-11-22T13:00:01.000000000Z", {}}.wants(alert));
  CHECK_FALSE(PastFilter{"2026-11-22T13:00:02.000000000Z", {}}.wants(alert));
  CHECK_FALSE(PastFilter{"2026", {"", {"exec"}, ""}}.wants(alert));
  CHECK(PastFilter{"2026", {"claude", {"exec", "alert"}, "warning"}}.wants(alert));
  CHECK_FALSE(PastFilter{"2026", {"codex", {}, ""}}.wants(alert));
  CHECK_FALSE(PastFilter{"2026", {"", {}, "critical"}}.wants(alert));
  CHECK_FALSE(PastFilter{"2026", {}}.wants("torn"));
}
using nlohmann::json;

namespace {

constexpr std::uint64_t kMs = 1'000'000;

json event_of(const char* type, json body) {
  return {{"time", "2026-11-22T13:00:01.123456789Z"},
          {"type", type},
          {"target", {{"id", "t"}, {"name", "agent"}}},
          {"process", {{"id", "7-1"}, {"pid", 7}, {"comm", "bash"}}},
          {type, std::move(body)}};
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("quote: plain words stay as they are") {
  CHECK(shell_quote("--name=x/y.z") == "--name=x/y.z");
  CHECK(shell_quote("a,b:c@d%e+f") == "a,b:c@d%e+f");
}

TEST_CASE("quote: spaces, empty arguments and quotes read as a shell would take them") {
  CHECK(shell_quote("") == "''");
  CHECK(shell_quote("two words") == "'two words'");
  CHECK(shell_quote("it's") == "'it'\\''s'");
  CHECK(shell_quote("$HOME;*") == "'$HOME;*'");
  CHECK(shell_quote("héllo") == "'héllo'");
}

TEST_CASE("quote: control and invalid bytes never come out raw") {
  CHECK(shell_quote("a\nb\tc") == "$'a\\nb\\tc'");
  CHECK(shell_quote("\x1b[31m") == "$'\\x1b[31m'");
  CHECK(shell_quote("it's\x01\\") == "$'it\\'s\\x01\\\\'");
  CHECK(shell_quote("\xff") == "$'\\xff'");
}

TEST_CASE("command line: arguments that were no UTF-8 show their exact bytes") {
  const json exec = {{"argv", {"cat", "\xEF\xBF\xBD"}}, {"argv_base64", {nullptr, "/w=="}}};
  CHECK(command_line(exec) == "cat $'\\xff'");
}

TEST_CASE("command line: a cut argv says so, and no argv shows the program in brackets") {
  CHECK(command_line({{"argv", {"ls"}}, {"argv_truncated", true}}) == "ls …");
  CHECK(command_line({{"argv", json::array()}, {"exe", "/bin/ls"}}) == "[/bin/ls]");
  CHECK(command_line({{"comm", "kworker"}}) == "[kworker]");
}

TEST_CASE("members: a missing member or one of another type is empty, never an error") {
  const json object = {{"a", 1}, {"b", "text"}};
  CHECK(text_of(object, "a").empty());
  CHECK(number_of(object, "b") == 0);
  CHECK(text_of(nullptr, "a").empty());
  CHECK(list_of(object, "a").empty());
}

TEST_CASE("duration: the unit fits the size") {
  CHECK(duration_text(0) == "0.0 ms");
  CHECK(duration_text(4 * kMs + kMs / 10) == "4.1 ms");
  CHECK(duration_text(34 * kMs) == "34 ms");
  CHECK(duration_text(1240 * kMs) == "1.2 s");
  CHECK(duration_text(123'000 * kMs) == "2 min 3 s");
  CHECK(duration_text(3'720'000 * kMs) == "1 h 2 min");
  CHECK(size_text(1) == "1 byte");
  CHECK(size_text(999) == "999 bytes");
  CHECK(size_text(5211) == "5.2 kB");
  CHECK(size_text(34'400'000) == "34 MB");
  CHECK(size_text(999'600'000) == "1.0 GB");
  CHECK(size_text(1'200'000'000'000) == "1200 GB");
}

TEST_CASE("status: what ended a process is said in words") {
  CHECK(status_text(0) == "ok");
  CHECK(status_text(3 << 8) == "exit 3");
  CHECK(status_text(9) == "killed by SIGKILL");
  CHECK(status_text(11 | 0x80) == "killed by SIGSEGV (core dumped)");
  CHECK(status_text(-1) == "running");
  CHECK(status_text(-2) == "exit not seen");
  CHECK(wait_status({{"code", 3}, {"signal", 0}, {"core_dumped", false}}) == 3 << 8);
  CHECK(wait_status({{"code", 0}, {"signal", 11}, {"core_dumped", true}}) == (11 | 0x80));
}

TEST_CASE("clip: a long text ends in an ellipsis, counted in characters") {
  CHECK(clip("short", 5) == "short");
  CHECK(clip("longer", 5) == "long…");
  CHECK(clip("héllo wörld", 8) == "héllo w…");
  CHECK(columns("héllo") == 5);
}

TEST_CASE("paint: colours come only when asked for") {
  CHECK(paint({false, 80}, Ink::red, "x") == "x");
  CHECK(paint({true, 80}, Ink::red, "x") == "\x1b[31mx\x1b[0m");
}

TEST_CASE("event line: an exec shows time, target, pid and command") {
  const auto line = event_line(event_of("exec", {{"argv", {"git", "init"}}, {"result", 0}}), {});
  CHECK(line == "13:00:01.123  agent          7       exec   git init");
}

TEST_CASE("event line: a failed exec says what was not there") {
  const auto line = event_line(event_of("exec", {{"filename", "/no\x1b"}, {"result", -2}}), {});
  CHECK(line.find("failed: $'/no\\x1b': No such file or directory") != std::string::npos);
}

TEST_CASE("event line: what was said over TLS shows its first line, and nothing that could move a terminal") {
  const auto line = event_line(event_of("tls", {{"direction", "send"},
                                                {"length", 30},
                                                {"connection", 4},
                                                {"encoding", "text"},
                                                {"data", "GET /\x1b[2J HTTP/1.1\r\nhost: a\r\n"}}),
                               {});
  CHECK(line.find("send 30 bytes, connection 4  GET /\\x1b[2J HTTP/1.1") != std::string::npos);
  CHECK(line.find("host") == std::string::npos);
  const auto withheld =
      event_line(event_of("tls", {{"direction", "recv"}, {"length", 1}, {"connection", 4}, {"withheld", "level"}}), {});
  CHECK(withheld.find("recv 1 byte, connection 4, withheld: level") != std::string::npos);
  const auto http2 = event_line(
      event_of("tls", {{"direction", "recv"}, {"length", 9}, {"connection", 4}, {"peer", "[::1]:443"}, {"stream", 7}}),
      {});
  CHECK(http2.find("recv 9 bytes, connection 4 with [::1]:443, stream 7") != std::string::npos);
}

TEST_CASE("event line: losses, gaps, alerts, exits, targets and probes are sentences") {
  CHECK(event_line(event_of("loss", {{"family", "exec"}, {"cause", "ring-full"}, {"count", 1}}), {})
            .find("1 event lost: ring-full (exec)") != std::string::npos);
  CHECK(event_line(event_of("loss", {{"family", "subscriber"}, {"cause", "slow-reader"}, {"count", 9}}), {})
            .find("9 events lost: they were not read fast enough") != std::string::npos);
  CHECK(event_line(event_of("gap", {{"reason", "daemon restarted"}}), {}).find("not observed: daemon restarted") !=
        std::string::npos);
  CHECK(event_line(event_of("alert", {{"severity", "warning"}, {"summary", "table \x07 full"}}), {})
            .find("warning: table \\x07 full") != std::string::npos);
  CHECK(event_line(event_of("exit", {{"code", 1}, {"runtime_ns", 2 * kMs}}), {}).find("exit 1 after 2.0 ms") !=
        std::string::npos);
  json added = event_of("target", nullptr);
  added["target_change"] = {{"change", "added"}, {"adopted", 2}};
  CHECK(event_line(added, {}).find("added, 2 descendants adopted") != std::string::npos);
  CHECK(event_line(event_of("probe", {{"program", "aa_exec"}, {"state", "failed"}, {"reason", "no BTF"}}), {})
            .find("aa_exec is failed: no BTF") != std::string::npos);
}

TEST_CASE("event line: a line is cut to the terminal's width") {
  const auto event = event_of("exec", {{"argv", {"echo", std::string(200, 'x')}}, {"result", 0}});
  CHECK(columns(event_line(event, {false, 60})) == 60);
  CHECK(event_line(event, {false, 0}).find(std::string(200, 'x')) != std::string::npos);
}

TEST_CASE("event line: a type it does not know is shown as it came, and safe") {
  CHECK(event_line(event_of("novel", {{"a", "\x7f"}}), {}).find("{\"a\":\"\\x7f\"}") != std::string::npos);
}

TEST_CASE("table: columns line up under their heading") {
  CHECK(table({{"NAME", "PID"}, {"agent-1", "7"}}, {}) == "NAME     PID\nagent-1  7\n");
}

TEST_CASE("tree: every process stands below its parent, and the ended say how") {
  const std::vector<json> processes = {
      {{"id", "1-1"}, {"pid", 1}, {"parent_id", "0-0"}, {"argv", {"sh"}}, {"exit", -1}},
      {{"id", "2-1"}, {"pid", 2}, {"parent_id", "1-1"}, {"argv", {"make"}}, {"exit", -1}},
      {{"id", "3-1"},
       {"pid", 3},
       {"parent_id", "2-1"},
       {"argv", {"cc"}},
       {"exit", 256},
       {"start_ns", 1},
       {"exit_ns", 2 * kMs + 1}},
      {{"id", "4-1"}, {"pid", 4}, {"parent_id", "1-1"}, {"argv", {"ls"}}, {"exit", 0}}};
  CHECK(tree_text(processes, {}) ==
        "1 sh\n"
        "├─ 2 make\n"
        "│  └─ 3 cc  2.0 ms  exit 1\n"
        "└─ 4 ls  ok\n");
}

TEST_CASE("tree: a process whose parent is not listed starts a tree of its own") {
  const std::vector<json> processes = {{{"id", "2-1"}, {"pid", 2}, {"parent_id", "9-9"}, {"argv", {"a"}}, {"exit", -1}},
                                       {{"id", "3-1"}, {"pid", 3}, {"parent_id", ""}, {"argv", {"b"}}, {"exit", -1}}};
  CHECK(tree_text(processes, {}) == "2 a\n3 b\n");
}

TEST_CASE("tree: the living are bold, the ended dim") {
  const std::vector<json> processes = {{{"id", "2-1"}, {"pid", 2}, {"argv", {"a"}}, {"exit", -1}},
                                       {{"id", "3-1"}, {"pid", 3}, {"argv", {"b"}}, {"exit", 0}}};
  const auto text = tree_text(processes, {true, 80});
  CHECK(text.find("\x1b[1ma\x1b[0m") != std::string::npos);
  CHECK(text.find("\x1b[2mb\x1b[0m") != std::string::npos);
}

TEST_CASE("tree: a chain far deeper than any stack is drawn whole") {
  std::vector<json> processes;
  for (int i = 1; i <= 3000; ++i) {
    processes.push_back({{"id", std::to_string(i)}, {"pid", i}, {"parent_id", std::to_string(i - 1)}, {"exit", -1}});
  }
  CHECK(count(tree_text(processes, {}), "\n") == 3000);
}

TEST_CASE("ancestry: pid 1 first, the process itself last") {
  const std::vector<json> processes = {{{"pid", 7}, {"argv", {"cc"}}, {"exit", -1}},
                                       {{"pid", 1}, {"argv", {"init"}}, {"exit", -1}}};
  CHECK(ancestry_text(processes, {}) == "1 init\n7 cc\n");
}
