#include "control/access.h"

#include "control_fixture.h"

using namespace aa;
using namespace aa::test;

TEST_CASE("access: a member without a row is refused, root alone may call, properties are for everyone") {
  CHECK(find_access("NoSuchMember") == nullptr);
  for (const auto& row : access_table()) {
    INFO(row.member);
    CHECK(may_call(row, 0, {}, {}));
    CHECK(may_call(row, 1000, {1000}, {}) == (row.allowed == Allowed::everyone));
    CHECK(row.action.empty() == (row.allowed == Allowed::everyone));
    CHECK(find_access(row.member) == &row);
  }
}

TEST_CASE("access: another user may call nothing, and learns nothing about processes, but reads the properties") {
  if (!is_root()) {
    WARN("skipped: needs root to act as another user");
    return;
  }
  Fixture f;
  const std::string id = f.watch_agent();
  Client nobody(f.bus.address(), kNobody);
  const sdbus::UnixFd some_fd(0);
  const std::vector<std::function<void()>> calls = {
      [&] { nobody->StartMonitoring(200, {}); },
      [&] { nobody->StartMonitoring(0, {}); },  // bad arguments are not even looked at
      [&] { nobody->StartMonitoringPidfd(some_fd, {}); },
      [&] { nobody->StartMonitoringUnit("x.service", {}); },
      [&] { nobody->StopMonitoring(id); },
      [&] { nobody->ListTargets(); },
      [&] { nobody->UpdatePathFilter({}); },
      [&] { nobody->SetPathRules({}); },
      [&] { nobody->GetPathFilter(); },
      [&] { nobody->TestPath("/"); },
      [&] { nobody->TestCommand({"ls"}); },
      [&] { nobody->Reload(); },
      [&] { nobody->Subscribe({}); },
      [&] { nobody->Explain(200); },
      [&] { nobody->GetProcess(200); },
      [&] { nobody->GetAncestry(200); },
      [&] { nobody->GetDescendants(200, 0); },
      [&] { nobody->IsDescendantOf(200, 1); },
      [&] { nobody->GetTree(id); },
      [&] { nobody->ListProcesses({}, "", 0); },
  };
  for (const auto& call : calls) {
    const auto failure = failure_of(call);
    CHECK(failure.name == "NotAuthorized");
    CHECK(failure.sentence.find("uid 65534") != std::string::npos);
  }
  CHECK(nobody->Version() == "1.2.3");
  CHECK(f.client->ListTargets().size() == 1);
}

TEST_CASE("access: whom the configuration admits may call, by user or group, but not to undo his own watching") {
  if (!is_root()) {
    WARN("skipped: needs root to act as another user");
    return;
  }
  Fixture f;
  Client nobody(f.bus.address(), kNobody);
  CHECK(failure_of([&] { nobody->ListTargets(); }).name == "NotAuthorized");
  f.house.on_loop([&] { f.house.admitted.uids = {kNobody}; });
  CHECK(failure_of([&] { nobody->ListTargets(); }).name.empty());
  CHECK(failure_of([&] { nobody->Reload(); }).name.empty());
  f.house.on_loop([&] {
    LivingProcess self = living(static_cast<std::uint32_t>(::getpid()), 77'000, {1, 1}, "self");
    f.house.add(self);
  });
  f.client->StartMonitoring(static_cast<std::uint32_t>(::getpid()), {});
  // To start watching, too: a target of its own would take whom it names out of what its present one promised.
  for (const auto& failure :
       {failure_of([&] { nobody->Reload(); }), failure_of([&] { nobody->StartMonitoring(200, {}); })}) {
    CHECK(failure.name == "NotAuthorized");
    CHECK(failure.sentence.find("watched itself") != std::string::npos);
  }
  CHECK(failure_of([&] { nobody->ListTargets(); }).name.empty());
  CHECK(may_call(*find_access("Reload"), 1000, {5, 7}, {{}, {7}}));
  CHECK_FALSE(may_call(*find_access("Reload"), 1000, {5}, {{}, {7}}));
}
