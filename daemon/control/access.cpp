#include "control/access.h"

#include <algorithm>
#include <array>

namespace aa {

namespace {

constexpr std::string_view kWatch = "org.agentassembly.ebpfd1.watch";
constexpr std::string_view kStop = "org.agentassembly.ebpfd1.stop";
constexpr std::string_view kReadLineage = "org.agentassembly.ebpfd1.read-lineage";
constexpr std::string_view kReadEvents = "org.agentassembly.ebpfd1.read-events";
constexpr std::string_view kReadRules = "org.agentassembly.ebpfd1.read-rules";
constexpr std::string_view kSetRules = "org.agentassembly.ebpfd1.set-rules";
constexpr std::string_view kReload = "org.agentassembly.ebpfd1.reload";

constexpr std::array kTable = {
    AccessRow{"Manager", "StartMonitoring", Allowed::root, kWatch},
    AccessRow{"Manager", "StartMonitoringPidfd", Allowed::root, kWatch},
    AccessRow{"Manager", "StartMonitoringUnit", Allowed::root, kWatch},
    AccessRow{"Manager", "StopMonitoring", Allowed::root, kStop},
    AccessRow{"Manager", "ListTargets", Allowed::root, kReadLineage},
    AccessRow{"Manager", "UpdatePathFilter", Allowed::root, kSetRules},
    AccessRow{"Manager", "SetPathRules", Allowed::root, kSetRules},
    AccessRow{"Manager", "GetPathFilter", Allowed::root, kReadRules},
    AccessRow{"Manager", "TestPath", Allowed::root, kReadRules},
    AccessRow{"Manager", "TestCommand", Allowed::root, kReadRules},
    AccessRow{"Manager", "Reload", Allowed::root, kReload},
    AccessRow{"Manager", "Subscribe", Allowed::root, kReadEvents},
    AccessRow{"Manager", "Explain", Allowed::root, kReadLineage},
    AccessRow{"Manager", "Version", Allowed::everyone, ""},
    AccessRow{"Manager", "ProbeStates", Allowed::everyone, ""},
    AccessRow{"Manager", "Counters", Allowed::everyone, ""},
    AccessRow{"Manager", "PathFilterGeneration", Allowed::everyone, ""},
    AccessRow{"Manager", "ConfigFile", Allowed::everyone, ""},
    AccessRow{"Manager", "EventsFile", Allowed::everyone, ""},
    AccessRow{"Manager", "AwaitingRestart", Allowed::everyone, ""},
    AccessRow{"Manager", "BootTime", Allowed::everyone, ""},
    AccessRow{"Lineage", "GetProcess", Allowed::root, kReadLineage},
    AccessRow{"Lineage", "GetAncestry", Allowed::root, kReadLineage},
    AccessRow{"Lineage", "GetDescendants", Allowed::root, kReadLineage},
    AccessRow{"Lineage", "IsDescendantOf", Allowed::root, kReadLineage},
    AccessRow{"Lineage", "GetTree", Allowed::root, kReadLineage},
    AccessRow{"Lineage", "ListProcesses", Allowed::root, kReadLineage},
};

}  // namespace

std::span<const AccessRow> access_table() {
  return kTable;
}

const AccessRow* find_access(std::string_view member) {
  const auto row = std::ranges::find(kTable, member, &AccessRow::member);
  return row == kTable.end() ? nullptr : &*row;
}

bool may_call(const AccessRow& row, std::uint32_t uid, const std::vector<std::uint32_t>& gids,
              const Admitted& admitted) {
  if (row.allowed == Allowed::everyone || uid == 0 || admitted.uids.contains(uid)) return true;
  return std::ranges::any_of(gids, [&](std::uint32_t gid) { return admitted.gids.contains(gid); });
}

bool is_for_unwatched(const AccessRow& row) {
  return row.action == kWatch || row.action == kStop || row.action == kSetRules || row.action == kReload ||
         row.action == kReadEvents;
}

std::string_view name_of(Allowed allowed) {
  return allowed == Allowed::root ? "root" : "everyone";
}

}  // namespace aa
