// control/manager_service.h: what org.agentassembly.Ebpfd1.Manager does once a call is allowed.
//
// Comes in: arguments and the caller. Goes out: Commands to the house, values for the reply, or Refused. Keeps the
// commands that wait for the Monitor's answer. Knows no connection.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/caller.h"
#include "control/control.h"
#include "control/types.h"
#include "control/units.h"

namespace aa {

class ManagerService {
 public:
  using Then = std::function<void(const Answer&)>;

  explicit ManagerService(const Control::House& house) : house_(house) {}

  // `then` is called once, perhaps before these return; dropped uncalled when this object goes away.
  void start_monitoring(const Caller& caller, std::uint32_t pid, const Dict& options, Then then);
  void start_monitoring_pidfd(const Caller& caller, int pidfd, const Dict& options, Then then);
  // A unit's is sent in two steps: systemd is asked between them where the unit is. Refused: bad options, no such unit.
  static StartMonitoringUnit unit_command(const Caller& caller, const Dict& options);
  void start_monitoring_unit(StartMonitoringUnit command, const Units::Found& found, Then then);
  void stop_monitoring(const std::string& target, Then then);
  void reload(Then then);
  void set_path_rules(const std::vector<NewRuleRow>& rows, Then then);

  std::vector<TargetRow> list_targets() const;
  UniqueFd subscribe(const Caller& caller, const Dict& filter) const;

  std::vector<RuleRow> path_rules() const;
  std::uint64_t path_generation() const { return house_.monitor->path_rules().generation(); }
  struct PathVerdict {
    std::string verdict;
    std::string rule;
  };
  PathVerdict test_path(const std::string& path) const;
  // What the detector would say of a command line; all empty: nothing. Refused: an empty argv, or more than 1 MiB.
  struct Said {
    std::string detect_class;
    std::string severity;
    std::string rule;
  };
  Said test_command(const std::vector<std::string>& argv) const;

  Dict explain_process(std::uint32_t pid) const;  // refused: no such process

  std::vector<ProbeRow> probe_states() const;
  std::map<std::string, std::uint64_t> counters() const;

  // A token nobody waits for is ignored.
  void answer(const Answer& answer);

 private:
  void send(Command command, Token token, Then then);

  const Control::House& house_;
  std::unordered_map<Token, Then> waiting_;
};

}  // namespace aa
