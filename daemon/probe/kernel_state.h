// probe/kernel_state.h: carries out the Monitor's plans in the kernel's maps, and reads what the kernel counted.
//
// Comes in: Plans. Goes out: Completions. It owns the mapping of the targets table and the task iterator's use; it
// decides nothing: who is a target is the Monitor's business.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/cgroup_names.h"
#include "base/result.h"
#include "probe/exec_family.h"
#include "probe/file_family.h"
#include "probe/mapped_map.h"
#include "probe/proc_text.h"
#include "probe/tls_family.h"
#include "state/plan.h"

struct aa_ledger_row;
struct aa_target;
struct aa_task_row;

namespace aa {

class KernelState {
 public:
  static Result<std::unique_ptr<KernelState>> make(ExecFamily& family, const FileFamily& files, const TlsFamily& tls,
                                                   CgroupNames& cgroups);
  ~KernelState();

  // Root first, then descendants until a pass over every process finds none new. Cost: about 10 µs a process of the
  // machine and pass, three passes as a rule. Blocks for that long.
  Enrolled enrol(const EnrolPlan& plan);
  // The same for a unit: its control group first, then whoever is in it. Refused where units cannot be followed.
  Enrolled enrol(const EnrolUnitPlan& plan);
  Released release(const ReleasePlan& plan);
  Adopted adopt(const AdoptPlan& plan);
  Reconciled reconcile();

  // Discovery: what to look for, by an entry's last component, instead of what was before; and a row made ready, which
  // the kernel takes when it finds one.
  Status look_for(const LookForPlan& plan);
  LookedAround look_around();
  void spare(const SparePlan& plan);

  // Reads ledger and targets. Cost: one map read a row and CPU.
  KernelCounts counts() const;
  // Records that never reached the ring, so far. Cost: six system calls.
  std::uint64_t lost() const;

  // The daemon's own thread group, in the initial pid namespace.
  std::uint32_t self() const;

  // Row 0, the self-test's: on for one process, then off.
  void open_self_test();
  bool enrol_self_test(std::uint32_t pid);
  void close_self_test();

 private:
  KernelState(ExecFamily& family, const FileFamily& files, const TlsFamily& tls, CgroupNames& cgroups)
      : family_(family), files_(files), tls_(tls), cgroups_(cgroups) {}
  using Rows = std::vector<aa_task_row>;

  struct Request {
    std::uint32_t mode = 0;
    std::uint32_t tgid = 0;
    std::uint32_t slot = 0;
    std::uint32_t from = 0;
  };
  Result<Rows> scan(const Request& request);
  // Repeats `request` until a pass changes nothing; rows of every pass, the last one's first.
  Result<Rows> scan_until_still(Request request);
  std::optional<Refusal> check_root(const Rows& rows, const EnrolPlan& plan) const;
  void open_slot(std::uint32_t slot, TlsLevel tls, std::uint32_t limit);
  void close_slot(std::uint32_t slot);
  void set_moves(const std::vector<ProcessId>& members, std::uint32_t slot);
  void clear_moves(const std::vector<ProcessId>& members);
  aa_ledger_row ledger_row(std::uint32_t family, std::uint32_t cause) const;
  Enrolled give_up(const EnrolPlan& plan, Refusal refusal);
  LivingProcess living(const aa_task_row& row);
  // Everybody in the slot, and the ancestors of `whose`.
  std::vector<LivingProcess> members_and_ancestors(const Rows& rows, std::uint32_t slot,
                                                   const std::vector<ProcessId>& whose);

  // kernel_state_units.cpp
  std::optional<Refusal> check_unit(const EnrolUnitPlan& plan) const;
  Status tell_unit(const std::string& cgroup, std::uint32_t slot);
  void forget_unit(std::uint32_t slot);  // nothing happens when it is no unit's
  void forget_cgroup(const std::string& cgroup, std::uint32_t slot);

  ExecFamily& family_;
  const FileFamily& files_;
  const TlsFamily& tls_;
  CgroupNames& cgroups_;
  MappedMap targets_map_;
  aa_target* targets_ = nullptr;
  std::uint32_t serial_ = 0;
  ProcText text_;
  std::set<std::uint64_t> looked_for_;          // what the kernel was told to look for
  std::map<std::string, std::uint32_t> units_;  // a watched unit's control group → its slot
};

}  // namespace aa
