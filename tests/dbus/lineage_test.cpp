#include <set>

#include "control/convert.h"
#include "control_fixture.h"

using namespace aa;
using namespace aa::test;

namespace {

using Pids = std::vector<std::uint32_t>;
using Texts = std::vector<std::string>;

Texts ids(const std::vector<Dict>& page) {
  Texts out;
  for (const auto& process : page) out.push_back(value<std::string>(process, "id"));
  return out;
}

// Every page from the first, checked to end.
std::vector<std::vector<Dict>> pages(Client& client, const Dict& selector, std::uint32_t limit) {
  std::vector<std::vector<Dict>> out;
  std::string cursor;
  do {
    auto [page, next] = client->ListProcesses(selector, cursor, limit);
    REQUIRE(!(page.empty() && !next.empty()));
    out.push_back(std::move(page));
    cursor = next;
  } while (!cursor.empty());
  return out;
}

Texts all_ids(Client& client, const Dict& selector, std::uint32_t limit = 0) {
  Texts out;
  for (const auto& page : pages(client, selector, limit)) {
    for (auto& id : ids(page)) out.push_back(std::move(id));
  }
  return out;
}

Dict selector(const char* key, sdbus::Variant value) {
  return Dict{{key, std::move(value)}};
}

}  // namespace

TEST_CASE("control: GetProcess tells everything about a living process") {
  Fixture f;
  const std::string id = f.watch_agent();
  const Dict process = f.client->GetProcess(300);
  CHECK(value<std::string>(process, "id") == "300-3000");
  CHECK(value<std::string>(process, "parent_id") == "200-2000");
  CHECK(value<std::uint32_t>(process, "pid") == 300);
  CHECK(value<std::uint32_t>(process, "uid") == 1000);
  CHECK(value<std::uint32_t>(process, "gid") == 1000);
  CHECK(value<std::uint64_t>(process, "start_ns") == 3'000);
  CHECK(value<std::uint64_t>(process, "exec_ns") == 0);
  CHECK(value<std::int32_t>(process, "exit") == -1);
  CHECK(value<std::string>(process, "exe") == "/usr/bin/tool");
  CHECK(value<std::string>(process, "cwd") == "/home/user");
  CHECK(value<std::string>(process, "comm") == "tool");
  CHECK(value<Texts>(process, "argv") == Texts{"tool", "--flag"});
  CHECK(value<std::string>(process, "cgroup") == "/user.slice");
  CHECK(value<std::string>(process, "target") == id);
  CHECK_FALSE(value<bool>(process, "remembered"));
  CHECK_FALSE(value<bool>(process, "argv_truncated"));
  CHECK(value<bool>(process, "watched"));
  for (const char* key : {"exe_bytes", "cwd_bytes", "comm_bytes", "cgroup_bytes", "argv_bytes", "exit_ns"}) {
    CHECK(process.count(key) == 0);
  }
}

TEST_CASE("control: an exited process is remembered with its wait status") {
  Fixture f;
  f.watch_agent();
  f.house.feed(an_exit().of(a_process(300, 3'000)).at(40'000).killed_by(11, true));
  const Dict process = f.client->GetProcess(300);
  CHECK(value<std::int32_t>(process, "exit") == (11 | 0x80));
  CHECK(value<bool>(process, "remembered"));
  CHECK(value<std::uint64_t>(process, "exit_ns") == 40'000);
  CHECK(std::get<9>(f.client->GetTree("200").at(1)) == (11 | 0x80));
}

TEST_CASE("control: bytes that are not text are shown as U+FFFD and exactly in the _bytes members") {
  Fixture f;
  f.watch_agent();
  const Who tool = a_process(300, 3'000, "t\xff").child_of(a_process(200, 2'000)).with_image(1);
  f.house.feed(an_exec().of(tool).exe("/x\xfe").cwd("/\xc3(").argv({"ok", "\xff", ""}).at(50'000));
  const Dict process = f.client->GetProcess(300);
  CHECK(value<Texts>(process, "argv") == Texts{"ok", "\xEF\xBF\xBD", ""});
  using Bytes = std::vector<std::uint8_t>;
  CHECK(value<std::vector<Bytes>>(process, "argv_bytes") == std::vector<Bytes>{{'o', 'k'}, {0xff}, {}});
  CHECK(value<Bytes>(process, "exe_bytes") == Bytes{'/', 'x', 0xfe});
  CHECK(value<Bytes>(process, "cwd_bytes") == Bytes{'/', 0xc3, '('});
  CHECK(value<std::string>(process, "cwd") == "/\xEF\xBF\xBD(");
  const auto row = f.client->GetAncestry(300).at(0);
  CHECK(std::get<6>(row) == "/x\xEF\xBF\xBD");
  CHECK(std::get<8>(row) == Texts{"ok", "\xEF\xBF\xBD", ""});
}

TEST_CASE("control: GetAncestry goes from the process through the target's root to pid 1") {
  Fixture f;
  f.watch_agent();
  const auto rows = f.client->GetAncestry(300);
  CHECK(pids(rows) == Pids{300, 200, 100, 1});
  CHECK(std::get<1>(rows.at(0)) == "200-2000");
  CHECK(std::get<1>(rows.at(3)).empty());
}

TEST_CASE("control: GetDescendants is breadth first and stops at its depth") {
  Fixture f;
  f.client->StartMonitoring(100, {});
  CHECK(pids(f.client->GetDescendants(100, 0)) == Pids{200, 300});
  CHECK(pids(f.client->GetDescendants(100, 1)) == Pids{200});
  CHECK(f.client->GetDescendants(300, 0).empty());
}

TEST_CASE("control: IsDescendantOf is reflexive and follows birth") {
  Fixture f;
  f.watch_agent();
  CHECK(f.client->IsDescendantOf(300, 300));
  CHECK(f.client->IsDescendantOf(300, 1));
  CHECK_FALSE(f.client->IsDescendantOf(200, 300));
}

TEST_CASE("control: GetTree gives a target's processes, parents before children") {
  Fixture f;
  const std::string id = f.watch_agent();
  CHECK(pids(f.client->GetTree(id)) == Pids{200, 300});
  CHECK(failure_of([&] { f.client->GetTree("nobody"); }).name == "NoSuchTarget");
}

TEST_CASE("control: a pid that is 0 or unknown is refused by name, with what to do") {
  Fixture f;
  f.watch_agent();
  const std::vector<std::function<void(std::uint32_t)>> calls = {
      [&](std::uint32_t pid) { f.client->GetProcess(pid); },
      [&](std::uint32_t pid) { f.client->GetAncestry(pid); },
      [&](std::uint32_t pid) { f.client->GetDescendants(pid, 0); },
      [&](std::uint32_t pid) { f.client->IsDescendantOf(pid, 200); },
      [&](std::uint32_t pid) { f.client->IsDescendantOf(200, pid); },
      [&](std::uint32_t pid) { f.client->ListProcesses(selector("pid", sdbus::Variant{pid}), "", 0); },
  };
  for (const auto& call : calls) {
    CHECK(failure_of([&] { call(0); }).name == "InvalidArgument");
    const auto unknown = failure_of([&] { call(900); });  // lives, but was never watched
    CHECK(unknown.name == "NoSuchProcess");
    CHECK(unknown.sentence.find("StartMonitoring") != std::string::npos);
  }
}

TEST_CASE("control: ListProcesses selects by target, process, depth and life") {
  Fixture f;
  const std::string id = f.client->StartMonitoring(100, {});
  f.house.feed(an_exit().of(a_process(300, 3'000)).at(40'000).code(0));
  const auto pid = sdbus::Variant{std::uint32_t{100}};
  CHECK(all_ids(f.client, {}) == Texts{"1-1", "100-1000", "200-2000", "300-3000"});
  CHECK(all_ids(f.client, selector("target", sdbus::Variant{id})) == Texts{"100-1000", "200-2000", "300-3000"});
  CHECK(all_ids(f.client, {{"pid", pid}, {"depth", sdbus::Variant{std::uint32_t{1}}}}) ==
        Texts{"100-1000", "200-2000"});
  CHECK(all_ids(f.client, selector("id", sdbus::Variant{std::string("200-2000")})) == Texts{"200-2000", "300-3000"});
  CHECK(all_ids(f.client, {{"target", sdbus::Variant{id}}, {"alive", sdbus::Variant{true}}}) ==
        Texts{"100-1000", "200-2000"});
  CHECK(all_ids(f.client, selector("alive", sdbus::Variant{false})) == Texts{"300-3000"});
  CHECK(all_ids(f.client, {{"target", sdbus::Variant{id}}, {"pid", sdbus::Variant{std::uint32_t{1}}}}) ==
        Texts{"100-1000", "200-2000", "300-3000"});
}

TEST_CASE("control: ListProcesses refuses what it does not understand") {
  Fixture f;
  f.watch_agent();
  const auto refused = [&](const Dict& chosen, const std::string& cursor = "") {
    return failure_of([&] { f.client->ListProcesses(chosen, cursor, 0); }).name;
  };
  CHECK(refused(selector("tagret", sdbus::Variant{std::string("x")})) == "InvalidArgument");
  CHECK(refused(selector("alive", sdbus::Variant{std::string("yes")})) == "InvalidArgument");
  CHECK(refused(selector("id", sdbus::Variant{std::string("200")})) == "InvalidArgument");
  CHECK(refused(selector("id", sdbus::Variant{std::string("200-1")})) == "NoSuchProcess");
  CHECK(refused(selector("target", sdbus::Variant{std::string("x")})) == "NoSuchTarget");
  CHECK(refused(selector("depth", sdbus::Variant{std::uint32_t{1}})) == "InvalidArgument");
  CHECK(refused({{"pid", sdbus::Variant{std::uint32_t{200}}}, {"id", sdbus::Variant{std::string("200-2000")}}}) ==
        "InvalidArgument");
  CHECK(refused({}, "page two") == "InvalidArgument");
}

TEST_CASE("control: a cursor stays valid while processes come and go") {
  Fixture f;
  f.watch_agent();
  f.add_children(10, {"child"});
  const Dict agent = selector("pid", sdbus::Variant{std::uint32_t{200}});
  const auto [first, cursor] = f.client->ListProcesses(agent, "", 5);
  REQUIRE(first.size() == 5);
  const std::string last = ids(first).back();
  f.house.on_loop([&] {
    const auto id = *parse_process_id(last);
    f.house.take(f.house.monitor().on_event(an_exit().of(a_process(id.pid, id.start_ns)).at(200'000).code(0)));
    const Who late = a_process(20'000, 900'000, "late").child_of(a_process(200, 2'000));
    f.house.take(f.house.monitor().on_event(a_fork().of(a_process(200, 2'000)).child(late).at(900'000)));
  });
  const auto [second, end] = f.client->ListProcesses(agent, cursor, 100);
  CHECK(end.empty());
  Texts seen = ids(first);
  for (auto& id : ids(second)) seen.push_back(id);
  CHECK(seen.size() == 13);  // agent, tool, ten children, the late one
  CHECK(std::set<std::string>(seen.begin(), seen.end()).size() == seen.size());
  CHECK(seen.back() == "20000-900000");
}

TEST_CASE("control: a tree above 4 MiB is refused as an array and comes whole in pages below 4 MiB") {
  Fixture f;
  const std::string id = f.watch_agent();
  f.add_children(1'200, {"child", std::string(9'000, 'x')});
  for (const auto& failure :
       {failure_of([&] { f.client->GetTree(id); }), failure_of([&] { f.client->GetDescendants(200, 0); })}) {
    CHECK(failure.name == "LimitReached");
    CHECK(failure.sentence.find("ListProcesses") != std::string::npos);
  }
  const auto all = pages(f.client, selector("target", sdbus::Variant{id}), 1'000'000);
  std::size_t processes = 0;
  for (const auto& page : all) {
    std::size_t size = 0;
    for (const auto& process : page) size += wire_size(process);
    CHECK(size <= kReplyLimit);
    processes += page.size();
  }
  CHECK(all.size() > 2);
  CHECK(processes == 1'202);
}

TEST_CASE("control: ListProcesses gives 500 processes a page unless told otherwise") {
  Fixture f;
  f.watch_agent();
  f.add_children(600, {"child"});
  const auto all = pages(f.client, {}, 0);
  REQUIRE(all.size() == 2);
  CHECK(all.at(0).size() == 500);
  CHECK(all.at(1).size() == 104);
  CHECK(pages(f.client, {}, 7).at(0).size() == 7);
}

TEST_CASE("control: in arrays argv is cut to 4 KiB and says so, in GetProcess it is whole") {
  Fixture f;
  f.watch_agent();
  f.add_children(1, {"child", std::string(3'000, 'a'), std::string(3'000, 'b'), "end"});
  const auto argv = std::get<8>(f.client->GetAncestry(10'000).at(0));
  REQUIRE(argv.size() == 3);
  std::size_t total = 0;
  for (const auto& argument : argv) total += argument.size() + 1;
  CHECK(total <= kRowArgvLimit);
  CHECK(total > kRowArgvLimit - 8);
  CHECK(argv.back().rfind("…") == argv.back().size() - std::string("…").size());
  CHECK(value<Texts>(f.client->GetProcess(10'000), "argv").size() == 4);
}
