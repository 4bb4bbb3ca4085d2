// state/monitor_units.cpp: targets that are systemd units.
//
// Comes in: a unit's name and control group. Goes out: a plan to take in whoever is in that group. The kernel knows by
// the group who belongs; a unit's target has no root, does not end when its last process does, and ends by being
// stopped alone.
#include <utility>

#include "state/monitor_impl.h"

namespace aa {

std::optional<std::uint32_t> Monitor::Impl::start_unit(Step& step, StartMonitoringUnit command) {
  const std::optional<std::uint32_t> slot = open_slot(step, command.token, command.name);
  if (!slot) return std::nullopt;
  EnrolUnitPlan plan{command.token, *slot, command.unit, std::move(command.cgroup), settings.target_share, command.tls};
  Enrolment enrolment;
  enrolment.command.token = command.token;
  enrolment.command.name = std::move(command.name);
  enrolment.command.tls = command.tls;
  enrolment.command.owner_uid = command.owner_uid;
  enrolment.command.source = command.source;
  enrolment.unit = std::move(command.unit);
  enrolling.emplace(*slot, std::move(enrolment));
  step.plans.emplace_back(std::move(plan));
  return slot;
}

// Whom a target let go may be in a unit that is watched, and was not its own only because that target had it first.
void Monitor::Impl::readopt_units(Step& step) {
  for (const auto& [key, target] : targets) {
    if (target.running && !target.unit.empty() && !releasing.contains(target.slot))
      step.plans.emplace_back(AdoptPlan{target.slot, {}});
  }
}

}  // namespace aa
