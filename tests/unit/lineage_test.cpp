// Lineage: identity, ancestry, what is remembered and what it costs.
#include "state/lineage.h"

#include <malloc.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "support/catch.h"
#include "support/rounds.h"

using namespace aa;

namespace {

Process a_process(ProcessId id, ProcessId parent = {}) {
  Process process;
  process.id = id;
  process.parent = parent;
  return process;
}

std::vector<ProcessId> ids(const std::vector<const Process*>& processes) {
  std::vector<ProcessId> out;
  for (const Process* process : processes) out.push_back(process->id);
  return out;
}

using Ids = std::vector<ProcessId>;

constexpr ProcessId kInit{1, 1};
constexpr ProcessId kAgent{100, 1000};
constexpr ProcessId kShell{200, 2000};
constexpr ProcessId kTool{300, 3000};

Lineage a_family(Lineage::Limits limits = {}) {
  Lineage lineage(limits);
  lineage.insert(a_process(kInit));
  lineage.insert(a_process(kAgent, kInit));
  lineage.insert(a_process(kShell, kAgent));
  lineage.insert(a_process(kTool, kShell));
  return lineage;
}

}  // namespace

TEST_CASE("lineage: ancestry goes from the process itself up to the oldest known") {
  const Lineage lineage = a_family();
  CHECK(ids(lineage.ancestry(kTool)) == Ids{kTool, kShell, kAgent, kInit});
  CHECK(lineage.ancestry({9, 9}).empty());
}

TEST_CASE("lineage: descendants come breadth first, by start, to the depth asked for") {
  Lineage lineage = a_family();
  const ProcessId late{150, 2500};
  const ProcessId early{160, 1500};
  lineage.insert(a_process(late, kAgent));
  lineage.insert(a_process(early, kAgent));
  CHECK(ids(lineage.children(kAgent)) == Ids{early, kShell, late});
  CHECK(ids(lineage.descendants(kAgent)) == Ids{early, kShell, late, kTool});
  CHECK(ids(lineage.descendants(kInit, 2)) == Ids{kAgent, early, kShell, late});
  CHECK(lineage.descendants(kTool).empty());
}

TEST_CASE("lineage: a process descends from itself, its parents, and no one else") {
  const Lineage lineage = a_family();
  CHECK(lineage.is_descendant_of(kTool, kTool));
  CHECK(lineage.is_descendant_of(kTool, kInit));
  CHECK_FALSE(lineage.is_descendant_of(kAgent, kTool));
  CHECK_FALSE(lineage.is_descendant_of({9, 9}, {9, 9}));
}

TEST_CASE("lineage: a parent whose own record never came is still an ancestor") {
  Lineage lineage({});
  lineage.insert(a_process(kTool, kShell));
  CHECK(lineage.is_descendant_of(kTool, kShell));
  CHECK(ids(lineage.ancestry(kTool)) == Ids{kTool});
}

TEST_CASE("lineage: a reused pid starts a new process") {
  Lineage lineage = a_family();
  const ProcessId again{kTool.pid, 9000};
  lineage.insert(a_process(again, kAgent));
  CHECK(lineage.get(kTool)->exit == kExitLost);
  CHECK(lineage.get(kTool)->exit_ns == 9000);
  CHECK(lineage.by_pid(kTool.pid)->id == again);
  CHECK(lineage.living() == 4);
}

TEST_CASE("lineage: an older holder of a pid that is told of late is not alive") {
  Lineage lineage = a_family();
  const ProcessId older{kTool.pid, 2500};
  lineage.insert(a_process(older, kShell));
  CHECK(lineage.get(older)->exit == kExitLost);
  CHECK(lineage.by_pid(kTool.pid)->id == kTool);
  lineage.exited(older, 7 << 8, 2900);
  CHECK(lineage.get(older)->exit == 7 << 8);
}

TEST_CASE("lineage: when the last holder of a pid is forgotten the one before answers again") {
  Lineage lineage = a_family();
  lineage.insert(a_process({kTool.pid, 9000}, kAgent));
  lineage.remove({kTool.pid, 9000});
  CHECK(lineage.by_pid(kTool.pid)->id == kTool);
  lineage.remove(kTool);
  CHECK(lineage.by_pid(kTool.pid) == nullptr);
}

TEST_CASE("lineage: children told of before their parent are linked when it comes") {
  Lineage lineage({});
  lineage.insert(a_process(kTool, kShell));
  lineage.insert(a_process({301, 3100}, kShell));
  lineage.insert(a_process(kShell, kAgent));
  lineage.insert(a_process(kAgent));
  CHECK(ids(lineage.ancestry(kTool)) == Ids{kTool, kShell, kAgent});
  CHECK(ids(lineage.children(kShell)) == Ids{kTool, {301, 3100}});
}

TEST_CASE("lineage: a parent found by looking gives way to the birth parent, never the other way round") {
  Lineage lineage = a_family();
  Process seen = a_process({400, 4000}, kInit);
  seen.parent_source = ParentSource::current;
  lineage.insert(seen);
  lineage.insert(a_process({400, 4000}, kShell));
  CHECK(ids(lineage.ancestry({400, 4000})) == Ids{{400, 4000}, kShell, kAgent, kInit});
  lineage.insert(seen);
  CHECK(lineage.get({400, 4000})->parent == kShell);
  CHECK(ids(lineage.children(kInit)) == Ids{kAgent});
}

TEST_CASE("lineage: a circle of parents is broken, not followed") {
  Lineage lineage({});
  lineage.insert(a_process({1, 10}, {1, 10}));
  lineage.insert(a_process({2, 20}, {3, 30}));
  lineage.insert(a_process({3, 30}, {2, 20}));
  CHECK(lineage.ancestry({1, 10}).size() == 1);
  CHECK(lineage.ancestry({2, 20}).size() + lineage.ancestry({3, 30}).size() == 3);
  CHECK(lineage.all().size() == 3);
}

TEST_CASE("lineage: text of an older image never replaces text of a newer one") {
  Lineage lineage({});
  const auto text = [](const char* exe) {
    return std::make_shared<const ProcessText>(ProcessText{exe, "/", {exe}, false});
  };
  Process process = a_process(kTool);
  process.image = 2;
  process.text = text("/new");
  lineage.insert(process);
  process.image = 1;
  process.text = text("/old");
  CHECK(lineage.insert(process).text->exe == "/new");
  process.image = 3;
  process.text = nullptr;
  CHECK(lineage.insert(process).text == nullptr);
}

TEST_CASE("lineage: an exited process stays while any descendant lives, however deep") {
  Lineage lineage = a_family({std::chrono::nanoseconds(100), 50'000});
  lineage.exited(kAgent, 0, 5000);
  lineage.exited(kShell, 0, 5000);
  CHECK(lineage.expire(1'000'000) == 0);
  lineage.exited(kTool, 0, 2'000'000);
  CHECK(lineage.next_expiry() == 2'000'100);
  CHECK(lineage.expire(2'000'099) == 0);
  CHECK(lineage.expire(2'000'100) == 3);
  CHECK(lineage.size() == 1);
  CHECK(lineage.get(kInit)->alive());
}

TEST_CASE("lineage: a late child of an exited process holds it again") {
  Lineage lineage = a_family({std::chrono::nanoseconds(100), 50'000});
  lineage.exited(kTool, 0, 5000);
  lineage.insert(a_process({500, 4900}, kTool));
  CHECK(lineage.expire(1'000'000) == 0);
  lineage.exited({500, 4900}, 0, 6000);
  CHECK(lineage.expire(6100) == 2);
}

TEST_CASE("lineage: of too many exited processes the oldest are forgotten first, whatever their age") {
  Lineage lineage({std::chrono::hours(1), 3});
  for (std::uint32_t n = 1; n <= 5; ++n) {
    lineage.insert(a_process({n, n}));
    lineage.exited({n, n}, 0, 100 + n);
  }
  CHECK(lineage.over_count());
  CHECK(lineage.expire(200) == 2);
  CHECK(lineage.get({2, 2}) == nullptr);
  CHECK(lineage.get({3, 3}) != nullptr);
  CHECK_FALSE(lineage.over_count());
}

TEST_CASE("lineage: an exit that was only concluded can be taken back") {
  Lineage lineage = a_family({std::chrono::nanoseconds(100), 50'000});
  lineage.exited(kTool, kExitLost, 5000);
  lineage.exited(kShell, kExitLost, 5000);
  REQUIRE(lineage.revive(kTool));
  CHECK(lineage.get(kTool)->alive());
  CHECK(lineage.living() == 3);
  CHECK(lineage.expire(1'000'000) == 0);
  lineage.exited(kTool, 0, 6000);
  CHECK_FALSE(lineage.revive(kTool));
  CHECK(lineage.expire(1'000'000) == 2);
}

TEST_CASE("lineage: all names parents before children, then goes by start") {
  Lineage lineage({});
  lineage.insert(a_process({5, 50}, {7, 70}));  // told to be older than its parent
  lineage.insert(a_process({7, 70}));
  lineage.insert(a_process({6, 60}));
  CHECK(ids(lineage.all()) == Ids{{6, 60}, {7, 70}, {5, 50}});
}

TEST_CASE("lineage: removing a process leaves its children, which find it again when it is told of again") {
  Lineage lineage = a_family();
  lineage.remove(kShell);
  CHECK(ids(lineage.ancestry(kTool)) == Ids{kTool});
  CHECK(lineage.children(kAgent).empty());
  lineage.insert(a_process(kShell, kAgent));
  CHECK(ids(lineage.ancestry(kTool)) == Ids{kTool, kShell, kAgent, kInit});
}

TEST_CASE("lineage: a remembered process costs at most 512 bytes, text apart") {
  constexpr std::uint32_t kProcesses = 50'000;
  const auto used = [] {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const std::size_t before = used();
  Lineage lineage({});
  for (std::uint32_t n = 1; n <= kProcesses; ++n) {
    lineage.insert(a_process({n, n * 1'000ull}, n == 1 ? ProcessId{} : ProcessId{n / 2, n / 2 * 1'000ull}));
    if (n % 3 == 0) lineage.exited({n, n * 1'000ull}, 0, n * 2'000ull);
  }
  const std::size_t each = (used() - before) / kProcesses;
  INFO(each << " bytes a process");
  CHECK(each <= 512);
}

TEST_CASE("lineage: a long chain of exited parents costs no more than its length") {
  Lineage lineage({std::chrono::nanoseconds(1), 50'000});
  constexpr std::uint32_t kDepth = 200'000;
  for (std::uint32_t n = 1; n <= kDepth; ++n) {
    lineage.insert(a_process({n, n}, n == 1 ? ProcessId{} : ProcessId{n - 1, n - 1}));
    if (n > 1) lineage.exited({n - 1, n - 1}, 0, n);
  }
  CHECK(lineage.ancestry({kDepth, kDepth}).size() == kDepth);
  lineage.exited({kDepth, kDepth}, 0, kDepth + 1);
  CHECK(lineage.expire(kDepth + 10) == kDepth);
}

// ---- the same, against a model that is slow and plainly right
// ----------------------------------------------------------

namespace {

struct Model {
  struct Item {
    ProcessId parent;
    bool alive = true;
    std::uint64_t free_ns = 0;  // when neither it nor a descendant lived any more
  };
  std::map<ProcessId, Item> items;

  bool descends(const ProcessId& id, const ProcessId& ancestor) const {
    for (ProcessId at = id; items.contains(at); at = items.at(at).parent) {
      if (at == ancestor || items.at(at).parent == ancestor) return true;
    }
    return false;
  }
  bool held(const ProcessId& id) const {
    return std::any_of(items.begin(), items.end(),
                       [&](const auto& item) { return item.second.alive && descends(item.first, id); });
  }
  std::set<ProcessId> descendants(const ProcessId& id) const {
    std::set<ProcessId> out;
    for (const auto& [other, item] : items) {
      if (other != id && descends(other, id)) out.insert(other);
    }
    return out;
  }
  void exit(const ProcessId& id, std::uint64_t now) {
    std::set<ProcessId> held_before;
    for (const auto& [other, item] : items) {
      if (held(other)) held_before.insert(other);
    }
    items.at(id).alive = false;
    for (const ProcessId& other : held_before) {
      if (!held(other)) items.at(other).free_ns = now;
    }
  }
  void expire(std::uint64_t now, std::uint64_t keep) {
    std::set<ProcessId> old;
    for (const auto& [id, item] : items) {
      if (!held(id) && now >= item.free_ns + keep) old.insert(id);
    }
    for (const ProcessId& id : old) items.erase(id);
  }
};

}  // namespace

TEST_CASE("lineage: random lives agree with a naive model in ancestry, descendants and what is remembered") {
  constexpr std::uint64_t kKeep = 40;
  for (std::uint32_t seed = 1; seed <= test::rounds(25); ++seed) {
    std::mt19937 random(seed);
    Lineage lineage({std::chrono::nanoseconds(kKeep), 50'000});
    Model model;
    std::uint64_t now = 1;
    const auto any = [&](bool alive) -> ProcessId {
      Ids candidates;
      for (const auto& [id, item] : model.items) {
        if (item.alive == alive) candidates.push_back(id);
      }
      return candidates.empty() ? ProcessId{} : candidates[random() % candidates.size()];
    };
    for (std::uint32_t step = 0; step < 150; ++step, ++now) {
      const std::uint32_t dice = random() % 10;
      if (dice < 5 || model.items.empty()) {
        const ProcessId parent = any(random() % 20 != 0);  // now and then a fork that is told of after the exit
        const ProcessId id{step + 1, now};
        lineage.insert(a_process(id, parent));
        model.items[id] = {parent};
      } else if (dice < 8) {
        if (const ProcessId id = any(true)) {
          lineage.exited(id, 0, now);
          model.exit(id, now);
        }
      } else {
        lineage.expire(now);
        model.expire(now, kKeep);
      }
      INFO("seed " << seed << " step " << step);
      REQUIRE(lineage.size() == model.items.size());
      const ProcessId a = any(true);
      const ProcessId b = any(random() % 2 == 0);
      if (!a || !b) continue;
      REQUIRE(lineage.is_descendant_of(a, b) == model.descends(a, b));
      const Ids below = ids(lineage.descendants(b));
      REQUIRE(std::set<ProcessId>(below.begin(), below.end()) == model.descendants(b));
      for (const auto& [id, item] : model.items) {
        REQUIRE(lineage.get(id) != nullptr);
        REQUIRE(lineage.get(id)->alive() == item.alive);
      }
    }
  }
}
