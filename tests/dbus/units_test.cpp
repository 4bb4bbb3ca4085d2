// StartMonitoringUnit: what systemd is asked, what it may answer, and what becomes of it.
#include <signal.h>
#include <sys/wait.h>

#include "control_fixture.h"

using namespace aa;
using namespace aa::test;

namespace {

// tests/programs/fake_systemd with these units; there when this returns.
class FakeSystemd {
 public:
  FakeSystemd(const std::string& address, std::vector<std::string> units) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      std::vector<char*> argv = {const_cast<char*>(AA_FAKE_SYSTEMD), const_cast<char*>(address.c_str())};
      for (std::string& unit : units) argv.push_back(unit.data());
      argv.push_back(nullptr);
      ::dup2(ends[1], 1);
      ::execv(AA_FAKE_SYSTEMD, argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    char byte = 0;
    const bool said = ::read(ends[0], &byte, 1) == 1;
    ::close(ends[0]);
    if (!said) throw std::runtime_error("fake_systemd did not start");
  }
  FakeSystemd(const FakeSystemd&) = delete;
  FakeSystemd& operator=(const FakeSystemd&) = delete;
  ~FakeSystemd() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

// Everybody of the made-up world is in /user.slice.
const std::vector<std::string> kUnits = {
    "user.slice=user.slice,loaded,/user.slice,-.slice",
    "people.slice=user.slice,loaded,/user.slice,-.slice",
    "off.service=off.service,loaded,,a-b.slice",
    "memory.service=memory.service,loaded,,system.slice",
    "a-b-c.slice=a-b-c.slice,loaded,,a-b.slice",
    "-.slice=-.slice,loaded,,",
    "masked.service=masked.service,masked,,",
    "deleted.service=deleted.service,not-found,/system.slice/deleted.service,system.slice",
    "alias.service=other.timer,loaded,,",
};

struct Asked : Fixture {
  FakeSystemd systemd{bus.address(), kUnits};
  StartMonitoringUnit asked(const std::string& unit, const Dict& options = {}) {
    client->StartMonitoringUnit(unit, options);
    StartMonitoringUnit last;
    house.on_loop([&] { last = std::get<StartMonitoringUnit>(house.commands.back()); });
    return last;
  }
};

}  // namespace

TEST_CASE("units: a unit's target has its id, its name and no root, and holds who is in its control group") {
  Asked f;
  const std::string id = f.client->StartMonitoringUnit("user.slice", {});
  const auto targets = f.client->ListTargets();
  REQUIRE(targets.size() == 1);
  const TargetRow& row = targets.front();
  CHECK(std::get<0>(row) == id);
  CHECK(std::get<1>(row) == "user.slice");
  CHECK(std::get<2>(row) == 0);
  CHECK(std::get<4>(row) == "running");
  CHECK(std::get<5>(row) == 5);
  const Dict& more = std::get<6>(row);
  CHECK(more.count("root") == 0);
  CHECK(value<std::string>(more, "unit") == "user.slice");
  CHECK(pids(f.client->GetTree(id)).size() == 5);
  f.client->StopMonitoring("user.slice");
  CHECK(f.client->ListTargets().empty());
}

TEST_CASE("units: the Monitor is told the unit's whole name, its control group, the caller and the options") {
  Asked f;
  const StartMonitoringUnit command = f.asked(
      "people.slice", {{"name", sdbus::Variant{std::string("folk")}}, {"tls", sdbus::Variant{std::string("off")}}});
  CHECK(command.unit == "user.slice");
  CHECK(command.cgroup == "/user.slice");
  CHECK(command.name == "folk");
  CHECK(command.tls == TlsLevel::off);
  CHECK(command.owner_uid == ::geteuid());
  CHECK(command.source == TargetSource::dbus);
}

TEST_CASE("units: where a unit that does not run will be follows from its slice") {
  Asked f;
  CHECK(f.asked("off").cgroup == "/a.slice/a-b.slice/off.service");
  CHECK(f.asked("memory.service").cgroup == "/system.slice/_memory.service");
  CHECK(f.asked("a-b-c.slice").cgroup == "/a.slice/a-b.slice/a-b-c.slice");
  CHECK(f.asked("-.slice").cgroup == "/");
}

TEST_CASE("units: one that runs though its file is gone is watched") {
  Asked f;
  CHECK(f.asked("deleted.service").cgroup == "/system.slice/deleted.service");
}

TEST_CASE("units: one that there is not, or that has no processes, is refused with a sentence that names it") {
  Asked f;
  const auto refused = [&](const std::string& unit) {
    return failure_of([&] { f.client->StartMonitoringUnit(unit, {}); });
  };
  CHECK(refused("none.service").name == "InvalidArgument");
  CHECK(refused("none").sentence.find("systemd has no unit none.service to watch: it is not-found") == 0);
  CHECK(refused("masked.service").sentence.find("masked.service to watch: it is masked") != std::string::npos);
  CHECK(refused("alias.service").sentence.find("alias.service is other.timer") == 0);
  for (const char* bad : {"", "a/b.service", "getty@.service", "x.timer", "\xc3\xa4.service"}) {
    INFO(bad);
    CHECK(refused(bad).name == "InvalidArgument");
  }
  CHECK(refused(std::string(256, 'x')).sentence.find("has 256 bytes") != std::string::npos);
  CHECK(f.client->ListTargets().empty());
}

TEST_CASE("units: bad options are refused before systemd is asked") {
  Fixture f;
  CHECK(failure_of([&] {
          f.client->StartMonitoringUnit("x.service", {{"nam", sdbus::Variant{std::string("x")}}});
        }).name == "InvalidArgument");
}

TEST_CASE("units: without systemd on the bus the answer is NotSupported, and says what can be done") {
  Fixture f;
  const auto failure = failure_of([&] { f.client->StartMonitoringUnit("ssh.service", {}); });
  CHECK(failure.name == "NotSupported");
  CHECK(failure.sentence.find("watch processes by their pid") != std::string::npos);
}
