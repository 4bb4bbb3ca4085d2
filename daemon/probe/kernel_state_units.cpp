// probe/kernel_state_units.cpp: units: which control groups belong to which slot.
//
// Comes in: plans for units. Goes out: completions. The kernel is told a unit's path, by which it knows a group that is
// made later, and the id of the group there is now; both are taken back when the unit's slot is released.
#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>

#include "abi/event.h"
#include "abi/filter.h"
#include "base/clock.h"
#include "probe/kernel_state.h"
#include "probe/name_hash.h"

namespace aa {

std::optional<Refusal> KernelState::check_unit(const EnrolUnitPlan& plan) const {
  if (!cgroups_.holds_units(plan.cgroup) && plan.unit == plan.cgroup)
    return Refusal{Fault::not_supported,
                   "there is no control group " + plan.cgroup +
                       " of version 2 here, and systemd's, which come and go, "
                       "are of version 1: name one that is there, or watch processes by their pid"};
  if (!cgroups_.holds_units(plan.cgroup))
    return Refusal{Fault::not_supported,
                   "systemd does not keep its units in version 2 control groups here, and by those alone they are "
                   "known: boot with systemd.unified_cgroup_hierarchy=1, or watch processes by their pid"};
  if (plan.cgroup.size() >= AA_CGROUP_PATH)
    return Refusal{Fault::invalid_argument, "the control group of " + plan.unit + " has a path of " +
                                                std::to_string(plan.cgroup.size()) + " bytes; at most " +
                                                std::to_string(AA_CGROUP_PATH - 1) + " can be followed"};
  return std::nullopt;
}

// The path first, so that no group made from now on is missed; then the group there is, until it is the same before and
// after.
Status KernelState::tell_unit(const std::string& cgroup, std::uint32_t slot) {
  const std::uint64_t path = name_hash(cgroup);
  aa_unit unit{0, slot, 0};
  if (bpf_map_update_elem(family_.unit_paths_fd(), &path, &unit, BPF_ANY) != 0)
    return Error{"tell the kernel the unit's control group", errno, ""};
  if (Status attached = family_.set_watching_units(true); !attached) return attached;
  for (std::uint64_t id = cgroups_.id_of(cgroup); id != 0 && id != unit.cgroup_id; id = cgroups_.id_of(cgroup)) {
    unit.cgroup_id = id;
    if (bpf_map_update_elem(family_.units_fd(), &id, &slot, BPF_ANY) != 0 ||
        bpf_map_update_elem(family_.unit_paths_fd(), &path, &unit, BPF_ANY) != 0)
      return Error{"tell the kernel the unit's control group", errno, ""};
  }
  units_[cgroup] = slot;
  family_.set_units_watched(static_cast<std::uint32_t>(units_.size()));
  return Done{};
}

void KernelState::forget_unit(std::uint32_t slot) {
  const auto unit = std::find_if(units_.begin(), units_.end(), [&](const auto& entry) { return entry.second == slot; });
  if (unit == units_.end()) return;
  forget_cgroup(unit->first, slot);
  units_.erase(unit);
  family_.set_units_watched(static_cast<std::uint32_t>(units_.size()));
  if (units_.empty()) (void)family_.set_watching_units(false);
}

// What the kernel knows of a path, and every id it met there.
void KernelState::forget_cgroup(const std::string& cgroup, std::uint32_t slot) {
  const std::uint64_t path = name_hash(cgroup);
  bpf_map_delete_elem(family_.unit_paths_fd(), &path);
  std::vector<std::uint64_t> ids;
  std::uint64_t id = 0;
  for (const std::uint64_t* at = nullptr; bpf_map_get_next_key(family_.units_fd(), at, &id) == 0; at = &ids.back())
    ids.push_back(id);
  for (const std::uint64_t known : ids) {
    std::uint32_t owner = 0;
    if (bpf_map_lookup_elem(family_.units_fd(), &known, &owner) == 0 && owner == slot)
      bpf_map_delete_elem(family_.units_fd(), &known);
  }
}

Enrolled KernelState::enrol(const EnrolUnitPlan& plan) {
  Enrolled done;
  done.token = plan.token;
  done.slot = plan.slot;
  if (const auto known = units_.find(plan.cgroup); known != units_.end()) {
    done.boot_ns = boot_ns();
    done.already = known->second;
    return done;
  }
  const auto give_up_unit = [&](Refusal refusal) {
    family_.set_enrolling(false);
    forget_unit(plan.slot);
    close_slot(plan.slot);
    done.boot_ns = boot_ns();
    done.refusal = std::move(refusal);
    return done;
  };
  if (auto refusal = check_unit(plan)) return give_up_unit(std::move(*refusal));
  serial_ = serial_ % 0xffff + 1;
  open_slot(plan.slot, plan.tls, plan.limit);
  family_.set_enrolling(true);
  if (const Status told = tell_unit(plan.cgroup, plan.slot); !told) {
    forget_cgroup(plan.cgroup, plan.slot);
    if (units_.empty()) (void)family_.set_watching_units(false);
    return give_up_unit({Fault::probe_failed, told.error().text()});
  }
  Result<Rows> rows = scan_until_still({AA_SCAN_ADOPT | AA_SCAN_COUNT, 0, plan.slot, 0});
  if (!rows) return give_up_unit({Fault::map_failed, rows.error().text()});
  family_.set_enrolling(false);
  // Process 1 too when nobody is there yet: from it descends whatever the unit will start.
  std::vector<ProcessId> whose;
  for (const aa_task_row& row : *rows)
    if (row.tgid == 1 || ((row.flags & AA_TASK_WATCHED) != 0 && row.slot == plan.slot))
      whose.push_back({row.tgid, row.start_ns});
  done.processes = members_and_ancestors(*rows, plan.slot, whose);
  done.boot_ns = boot_ns();
  return done;
}

}  // namespace aa
