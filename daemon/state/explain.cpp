#include "state/explain.h"

#include <algorithm>

namespace aa {
namespace {

bool works(const ProbeBody& probe) {
  return probe.state == ProbeState::attached || probe.state == ProbeState::standby ||
         probe.state == ProbeState::degraded;
}

std::string reason_for(const Monitor& monitor, const Process* process, const Target* target) {
  if (process == nullptr) return "neither it nor an ancestor of it is watched; aactl watch PID takes it in";
  const std::string ended = process->alive() ? "" : "; it has ended";
  if (target != nullptr && process->watched) {
    const bool is_root = target->root == process->id;
    const std::string how = !target->unit.empty() ? "it belongs to " + target->unit + ", target "
                            : is_root             ? "it is the root of target "
                                                  : "it descends from the root of target ";
    return how + target->name + (target->running ? "" : ", which has ended") + ended;
  }
  const Process* parent = monitor.lineage().get(process->parent);
  if (parent != nullptr && parent->watched)
    return "its parent is watched, but it found no room itself: raise watched.limit or watched.share" + ended;
  const auto below = monitor.lineage().children(process->id);
  const bool above = std::any_of(below.begin(), below.end(), [](const Process* child) { return child->watched; });
  if (above) return "it is an ancestor of something watched; only what descends from a target's root is" + ended;
  return "it was watched and was let go, or is known as a relative only" + ended;
}

std::vector<FamilyState> families_of(const Monitor& monitor, bool inside) {
  std::vector<FamilyState> out;
  for (const ProbeBody& probe : monitor.probes()) {
    auto at = std::find_if(out.begin(), out.end(), [&](const FamilyState& one) { return one.family == probe.family; });
    if (at == out.end()) {
      out.push_back({probe.family, "observed", ""});
      at = out.end() - 1;
    }
    if (works(probe)) continue;
    at->reason += (at->reason.empty() ? "" : "; ") + probe.program + " is " + std::string(name_of(probe.state)) +
                  (probe.reason.empty() ? "" : ": " + probe.reason);
  }
  for (FamilyState& family : out) {
    if (!inside) family.state = "not-observed";
    if (family.reason.empty()) family.reason = inside ? "every program of it works" : "the process is not watched";
  }
  return out;
}

std::vector<std::string> limits_of(const Monitor& monitor, const Target* target) {
  std::vector<std::string> out;
  if (target != nullptr && target->refused > 0)
    out.push_back(std::to_string(target->refused) + " processes of its target found no room in the watched set");
  if (target != nullptr && target->lost > 0)
    out.push_back(std::to_string(target->lost) + " records of its target were lost before they reached the daemon");
  for (const LedgerRow& row : monitor.ledger()) {
    if (row.cause == "attempt" || row.count == 0) continue;
    out.push_back(row.family + ": " + std::to_string(row.count) + " lost or refused in all for " + row.cause);
  }
  return out;
}

}  // namespace

Explanation explain(const Monitor& monitor, std::uint32_t pid) {
  Explanation out;
  out.pid = pid;
  const Process* process = monitor.lineage().by_pid(pid);
  const Target* target = process == nullptr ? nullptr : monitor.target(process->target);
  if (process != nullptr) {
    out.id = process->id.text();
    if (process->text != nullptr) out.exe = process->text->exe;
    out.observed = process->watched && process->alive() && target != nullptr && target->running;
  }
  out.reason = reason_for(monitor, process, target);
  if (target != nullptr) {
    out.target = target->id;
    out.target_name = target->name;
  }
  out.families = families_of(monitor, out.observed);
  out.limits = limits_of(monitor, target);
  return out;
}

}  // namespace aa
