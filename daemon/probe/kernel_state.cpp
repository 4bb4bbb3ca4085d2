#include "probe/kernel_state.h"

#include <bpf/bpf.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>

#include "abi/event.h"
#include "abi/filter.h"
#include "base/clock.h"
#include "base/text.h"
#include "probe/name_hash.h"
#include "state/discovery.h"

namespace aa {
namespace {

constexpr std::size_t kTargetsBytes = sizeof(aa_target) * AA_SLOTS;

bool has_exited(const UniqueFd& pidfd) {
  pollfd poll{pidfd.get(), POLLIN, 0};
  return ::poll(&poll, 1, 0) > 0;
}

std::string pid_text(std::uint32_t pid) {
  return "process " + std::to_string(pid);
}

ProcessId id_of(const aa_task_row& row) {
  return {row.tgid, row.start_ns};
}

// What the kernel skipped never came to a program that counts: it was an attempt all the same. The kernel does not say
// when.
void add_skipped(KernelCounts& counts, const char* family, const char* cause, std::uint64_t misses) {
  for (LedgerRow& row : counts.ledger)
    if (row.family == family && row.cause == "attempt") row.count += misses;
  counts.ledger.push_back({family, cause, misses, 0, 0});
}

ProcessId parent_of(const aa_task_row& row) {
  return {row.parent_tgid, row.parent_start_ns};
}

std::vector<LivingProcess*> each_of(std::vector<LivingProcess>& processes) {
  std::vector<LivingProcess*> each;
  each.reserve(processes.size());
  for (LivingProcess& process : processes) each.push_back(&process);
  return each;
}

}  // namespace

Result<std::unique_ptr<KernelState>> KernelState::make(ExecFamily& family, const FileFamily& files,
                                                       const TlsFamily& tls, CgroupNames& cgroups) {
  std::unique_ptr<KernelState> state(new KernelState(family, files, tls, cgroups));
  state->targets_map_ = MappedMap(family.targets_fd(), kTargetsBytes);
  if (state->targets_map_.data() == nullptr) return Error{"map the targets table", errno, ""};
  state->targets_ = static_cast<aa_target*>(state->targets_map_.data());
  if (auto first = state->scan({}); !first) return first.error();  // tells the kernel who the daemon is
  return state;
}

KernelState::~KernelState() = default;

std::uint32_t KernelState::self() const {
  return family_.scan().self;
}

// ---- scanning
// --------------------------------------------------------------------------------------------------------

Result<KernelState::Rows> KernelState::scan(const Request& request) {
  volatile aa_scan& state = family_.scan();
  state.mode = request.mode;
  state.tgid = request.tgid;
  state.slot = request.slot;
  state.from = request.from;
  state.serial = serial_;
  state.changed = 0;
  const UniqueFd iterator(bpf_iter_create(family_.scan_link_fd()));
  if (!iterator) return Error{"list processes by the task iterator", errno, ""};
  std::vector<std::byte> bytes;
  std::array<std::byte, 64 * 1024> part{};
  for (;;) {
    const ssize_t length = ::read(iterator.get(), part.data(), part.size());
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (length < 0) return Error{"read the task iterator", errno, ""};
    if (length == 0) break;
    bytes.insert(bytes.end(), part.begin(), part.begin() + length);
  }
  Rows rows(bytes.size() / sizeof(aa_task_row));
  std::memcpy(rows.data(), bytes.data(), rows.size() * sizeof(aa_task_row));
  state.mode = 0;
  return rows;
}

Result<KernelState::Rows> KernelState::scan_until_still(Request request) {
  Rows all;
  for (;;) {
    Result<Rows> rows = scan(request);
    if (!rows) return rows.error();
    all.insert(all.begin(), rows->begin(), rows->end());
    if (family_.scan().changed == 0) return all;
    request.mode &= ~(AA_SCAN_INSERT | AA_SCAN_COUNT);
  }
}

LivingProcess KernelState::living(const aa_task_row& row) {
  LivingProcess process;
  process.id = id_of(row);
  process.parent = {row.parent_tgid, row.parent_tgid != 0 ? row.parent_start_ns : 0};
  process.parent_source = (row.flags & AA_TASK_BIRTH) != 0 ? ParentSource::birth : ParentSource::current;
  process.ns_pid = row.ns_tgid;
  process.uid = row.uid;
  process.gid = row.gid;
  process.image = row.image;
  process.slot = row.slot;
  process.watched = (row.flags & AA_TASK_WATCHED) != 0;
  process.adopted = (row.flags & AA_TASK_ADOPTED) != 0;
  process.comm.assign(reinterpret_cast<const char*>(row.comm), ::strnlen(reinterpret_cast<const char*>(row.comm), 16));
  process.cgroup = cgroups_.path_of(row.cgroup_id);
  return process;
}

std::vector<LivingProcess> KernelState::members_and_ancestors(const Rows& rows, std::uint32_t slot,
                                                              const std::vector<ProcessId>& whose) {
  // The first row of a process is the latest; but one that was taken in and has ended since still counts.
  std::map<ProcessId, const aa_task_row*> by_id;
  const auto inside = [slot](const aa_task_row& row) { return (row.flags & AA_TASK_WATCHED) != 0 && row.slot == slot; };
  for (const aa_task_row& row : rows) {
    if ((row.flags & AA_TASK_THREAD) != 0) continue;
    const auto [known, added] = by_id.emplace(id_of(row), &row);
    if (!added && inside(row) && !inside(*known->second)) known->second = &row;
  }
  std::vector<LivingProcess> processes;
  std::set<ProcessId> told;
  for (ProcessId at : whose) {
    for (; by_id.contains(at) && told.insert(at).second; at = parent_of(*by_id.at(at)))
      if (by_id.at(at)->slot != slot) processes.push_back(living(*by_id.at(at)));
    // The build host's 6.18 was seen to leave process 1 out of the iterator: its child still names it exactly.
    if (at.pid == 0 || !told.insert(at).second) continue;
    processes.emplace_back().id = at;
    processes.back().ns_pid = at.pid;
  }
  for (const auto& [id, row] : by_id)
    if (inside(*row)) processes.push_back(living(*row));
  text_.read(each_of(processes));
  return processes;
}

// ---- slots
// -----------------------------------------------------------------------------------------------------------

void KernelState::open_slot(std::uint32_t slot, TlsLevel tls, std::uint32_t limit) {
  aa_target& row = targets_[AA_SLOT_ROW(slot)];
  std::memset(&row, 0, sizeof(row));
  row.slot = slot;
  row.tls_level = static_cast<std::uint32_t>(tls);
  row.limit = limit;
  __atomic_store_n(&row.active, 1u, __ATOMIC_SEQ_CST);
}

// Not active yet: the kernel makes it so when it takes it.
void KernelState::spare(const SparePlan& plan) {
  aa_target& row = targets_[AA_SLOT_ROW(plan.slot)];
  std::memset(&row, 0, sizeof(row));
  row.tls_level = static_cast<std::uint32_t>(TlsLevel::redacted);
  row.limit = plan.limit;
  __atomic_store_n(&row.slot, plan.slot, __ATOMIC_SEQ_CST);
  bpf_map_update_elem(family_.spares_fd(), nullptr, &plan.slot, BPF_ANY);  // cannot be full: it holds every row
}

Status KernelState::look_for(const LookForPlan& plan) {
  static_assert(kLookedForMax == AA_DISCOVER_NAMES);
  std::set<std::uint64_t> wanted;
  for (const std::string& name : plan.names) wanted.insert(name_hash(last_component(name)));
  for (const std::uint32_t uid : plan.users) wanted.insert(AA_USER_KEY(uid));
  for (const std::uint64_t key : looked_for_)
    if (!wanted.contains(key)) bpf_map_delete_elem(family_.names_fd(), &key);
  looked_for_ = std::move(wanted);
  for (const std::uint64_t key : looked_for_) {
    const std::uint32_t one = 1;
    if (bpf_map_update_elem(family_.names_fd(), &key, &one, BPF_ANY) != 0)
      return Error{"tell the kernel which programs to look for", errno, ""};
  }
  family_.set_discovering(static_cast<std::uint32_t>(looked_for_.size()));
  std::uint32_t spare = 0;  // nobody takes one any more
  while (looked_for_.empty() && bpf_map_lookup_and_delete_elem(family_.spares_fd(), nullptr, &spare) == 0) continue;
  return Done{};
}

LookedAround KernelState::look_around() {
  LookedAround done{boot_ns(), {}};
  Result<Rows> rows = scan({});
  if (!rows) return done;
  for (const aa_task_row& row : *rows)
    if ((row.flags & (AA_TASK_THREAD | AA_TASK_DEAD | AA_TASK_KERNEL | AA_TASK_SELF)) == 0)
      done.processes.push_back(living(row));
  std::vector<LivingProcess*> unwatched = each_of(done.processes);
  std::erase_if(unwatched, [](const LivingProcess* process) { return process->watched; });
  text_.read(unwatched);
  return done;
}

void KernelState::close_slot(std::uint32_t slot) {
  __atomic_store_n(&targets_[AA_SLOT_ROW(slot)].active, 0u, __ATOMIC_SEQ_CST);
  (void)scan_until_still({AA_SCAN_SWEEP, 0, 0, slot});  // what it could not sweep is stale by its generation
}

void KernelState::set_moves(const std::vector<ProcessId>& members, std::uint32_t slot) {
  for (const ProcessId& member : members) {
    const aa_move move{member.start_ns, slot, 0};
    bpf_map_update_elem(family_.moves_fd(), &member.pid, &move, BPF_ANY);
  }
}

void KernelState::clear_moves(const std::vector<ProcessId>& members) {
  for (const ProcessId& member : members) bpf_map_delete_elem(family_.moves_fd(), &member.pid);
}

// ---- enrolment
// -------------------------------------------------------------------------------------------------------

std::optional<Refusal> KernelState::check_root(const Rows& rows, const EnrolPlan& plan) const {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const aa_task_row& row) {
    return row.tgid == plan.pid && (row.flags & AA_TASK_THREAD) == 0;
  });
  const auto thread =
      std::find_if(rows.begin(), rows.end(), [](const aa_task_row& row) { return (row.flags & AA_TASK_THREAD) != 0; });
  if (thread != rows.end())
    return Refusal{Fault::invalid_argument,
                   std::to_string(plan.pid) + " is a thread of " + pid_text(thread->tgid) + ": give the process's id"};
  if (found == rows.end() && plan.pid == 1)
    return Refusal{Fault::not_supported,
                   "this kernel's list of processes leaves process 1 out, so it cannot be watched: watch its children"};
  if (found == rows.end())
    return Refusal{Fault::no_such_process, "there is no " + pid_text(plan.pid) + ": give the id of a living process"};
  if ((found->flags & AA_TASK_SELF) != 0)
    return Refusal{Fault::invalid_argument,
                   pid_text(plan.pid) + " is aa-ebpfd itself, which is never watched: give another process"};
  if ((found->flags & AA_TASK_KERNEL) != 0)
    return Refusal{Fault::invalid_argument,
                   pid_text(plan.pid) + " is a kernel thread, which runs no programs: give a user process"};
  if (plan.root && found->start_ns != plan.root.start_ns)
    return Refusal{Fault::no_such_process,
                   "the process " + plan.root.text() + " has ended, and its pid is another's now"};
  if ((found->flags & AA_TASK_DEAD) != 0)
    return Refusal{Fault::no_such_process, pid_text(plan.pid) + " has ended: give the id of a living process"};
  return std::nullopt;
}

Enrolled KernelState::give_up(const EnrolPlan& plan, Refusal refusal) {
  const std::uint32_t outer = family_.scan().outer;
  if (outer != 0) (void)scan_until_still({AA_SCAN_RETURN, 0, outer, plan.slot});
  family_.set_enrolling(false);
  close_slot(plan.slot);
  clear_moves(plan.members);
  Enrolled done;
  done.token = plan.token;
  done.slot = plan.slot;
  done.boot_ns = boot_ns();
  done.refusal = std::move(refusal);
  return done;
}

Enrolled KernelState::enrol(const EnrolPlan& plan) {
  serial_ = serial_ % 0xffff + 1;
  const auto failed = [&](const Error& error) { return give_up(plan, Refusal{Fault::map_failed, error.text()}); };
  volatile aa_scan& state = family_.scan();
  state.outer = 0;
  state.root_of = 0;
  Result<Rows> before = scan({0, plan.pid, 0, 0});
  if (!before) return failed(before.error());
  if (auto refusal = check_root(*before, plan)) return give_up(plan, *refusal);

  open_slot(plan.slot, plan.tls, plan.limit);
  set_moves(plan.members, plan.slot);
  family_.set_enrolling(true);  // from here on nobody who belongs inside can slip out by forking or leaving
  Result<Rows> inserted = scan({AA_SCAN_INSERT, plan.pid, plan.slot, 0});
  if (!inserted) return failed(inserted.error());
  Enrolled done;
  if (state.root_of != 0) done.already = state.root_of;
  const auto root =
      std::find_if(inserted->begin(), inserted->end(), [&](const aa_task_row& row) { return row.tgid == plan.pid; });
  const bool taken = root != inserted->end() && (root->flags & AA_TASK_WATCHED) != 0 && root->slot == plan.slot;
  if (!taken && !done.already) {
    const bool full = root != inserted->end() && (root->flags & AA_TASK_REFUSED) != 0;
    return give_up(plan, full ? Refusal{Fault::limit_reached,
                                        "the watched set is full: release a target, or raise "
                                        "watched.limit in the configuration"}
                              : Refusal{Fault::no_such_process, pid_text(plan.pid) + " ended while it was enrolled"});
  }
  if (plan.pidfd && has_exited(*plan.pidfd))
    return give_up(plan, Refusal{Fault::no_such_process, "the process of that pidfd has ended"});
  if (!done.already) {
    const std::uint32_t outer = state.outer;
    if (outer != 0) done.outer = outer;
    const std::uint32_t mode = AA_SCAN_ADOPT | AA_SCAN_COUNT | (outer != 0 ? AA_SCAN_MOVE : 0u);
    Result<Rows> rows = scan_until_still({mode, 0, plan.slot, outer});
    if (!rows) return failed(rows.error());
    done.root = id_of(*root);
    rows->insert(rows->end(), inserted->begin(), inserted->end());
    done.processes = members_and_ancestors(*rows, plan.slot, {done.root});
  }
  family_.set_enrolling(false);
  clear_moves(plan.members);
  if (done.already) close_slot(plan.slot);
  done.token = plan.token;
  done.slot = plan.slot;
  done.boot_ns = boot_ns();
  return done;
}

Released KernelState::release(const ReleasePlan& plan) {
  forget_unit(plan.slot);
  if (plan.return_to) {
    (void)scan_until_still({AA_SCAN_RETURN, 0, *plan.return_to, plan.slot});
  }
  close_slot(plan.slot);
  return {plan.token, plan.slot, boot_ns(), plan.return_to};
}

Adopted KernelState::adopt(const AdoptPlan& plan) {
  serial_ = serial_ % 0xffff + 1;
  aa_target& target = targets_[AA_SLOT_ROW(plan.slot)];
  if (plan.root && target.slot == plan.slot) target.tls_level = static_cast<std::uint32_t>(plan.tls);
  family_.set_enrolling(true);
  Result<Rows> rows = scan_until_still({AA_SCAN_ADOPT, 0, plan.slot, 0});
  family_.set_enrolling(false);
  Adopted done{plan.slot, boot_ns(), {}};
  if (!rows) return done;
  std::set<ProcessId> seen;
  for (const aa_task_row& row : *rows)
    if ((row.flags & AA_TASK_ADOPTED) != 0 && row.slot == plan.slot && seen.insert(id_of(row)).second)
      done.processes.push_back(living(row));
  text_.read(each_of(done.processes));
  if (!plan.root) return done;
  for (LivingProcess& process : members_and_ancestors(*rows, plan.slot, {plan.root}))
    if (!process.watched || process.slot != plan.slot) done.processes.push_back(std::move(process));
  return done;
}

Reconciled KernelState::reconcile() {
  Reconciled done{boot_ns(), {}};
  Result<Rows> rows = scan({});
  if (!rows) return done;
  for (const aa_task_row& row : *rows)
    if ((row.flags & (AA_TASK_THREAD | AA_TASK_DEAD | AA_TASK_KERNEL)) == 0) done.processes.push_back(living(row));
  return done;
}

// ---- counts ----

std::uint64_t KernelState::lost() const {
  std::uint64_t lost = family_.recursion_misses();
  for (const std::uint32_t cause : {AA_CAUSE_RING_FULL, AA_CAUSE_SCRATCH})
    lost += ledger_row(AA_FAMILY_EXEC, cause).count;
  return lost;
}

// Summed over the CPUs.
aa_ledger_row KernelState::ledger_row(std::uint32_t family, std::uint32_t cause) const {
  static const int cpus = libbpf_num_possible_cpus();
  std::vector<aa_ledger_row> per_cpu(static_cast<std::size_t>(cpus));
  const std::uint32_t key = family * AA_CAUSES + cause;
  aa_ledger_row sum{};
  if (bpf_map_lookup_elem(family_.ledger_fd(), &key, per_cpu.data()) != 0) return sum;
  for (const aa_ledger_row& row : per_cpu) {
    sum.count += row.count;
    if (row.count == 0) continue;
    sum.first_ns = sum.first_ns == 0 ? row.first_ns : std::min<std::uint64_t>(sum.first_ns, row.first_ns);
    sum.last_ns = std::max<std::uint64_t>(sum.last_ns, row.last_ns);
  }
  return sum;
}

KernelCounts KernelState::counts() const {
  constexpr std::array<const char*, AA_CAUSES> kCauses = {
      "attempt", "ring-full",  "scratch",          "watched-full", "share-full", "adopt-cut", "sum-full",  "no-spare",
      "unseen",  "calls-full", "connections-full", "late-attach",  "learn-full", "rules-cut", "lost-bytes"};
  constexpr std::array<std::pair<std::uint32_t, const char*>, 3> kFamilies = {
      {{AA_FAMILY_EXEC, "exec"}, {AA_FAMILY_FILE, "file"}, {AA_FAMILY_TLS, "tls"}}};
  KernelCounts counts;
  counts.boot_ns = boot_ns();
  for (const auto& [family, name] : kFamilies) {
    for (std::uint32_t cause = 0; cause < AA_CAUSES; ++cause) {
      const aa_ledger_row row = ledger_row(family, cause);
      counts.ledger.push_back({name, kCauses[cause], row.count, row.first_ns, row.last_ns});
    }
  }
  add_skipped(counts, "exec", "recursion", family_.recursion_misses());
  for (auto& row : counts.ledger) {
    if (row.family == "exec" && row.cause == "unseen") row.count += family_.unseen();
    if (row.family == "file" && row.cause == "unseen") row.count += files_.unheard();
    if (row.family == "tls" && row.cause == "unseen") row.count += tls_.unseen();
    if (row.family == "file" && row.cause == "learn-full") row.count += files_.unlearned();
  }
  add_skipped(counts, "file", "recursion", files_.recursion_misses());
  add_skipped(counts, "file", "return-missed", files_.returns_missed());
  add_skipped(counts, "tls", "recursion", tls_.recursion_misses());
  for (std::uint32_t row = 1; row < AA_SLOTS; ++row) {
    const aa_target& target = targets_[row];
    if (__atomic_load_n(&target.active, __ATOMIC_RELAXED) == 0) continue;
    const auto load = [](const __u64& word) { return __atomic_load_n(&word, __ATOMIC_RELAXED); };
    counts.slots.push_back(
        {target.slot, load(target.live), load(target.attempts), load(target.lost), load(target.refused)});
  }
  return counts;
}

// ---- self-test
// -------------------------------------------------------------------------------------------------------

void KernelState::open_self_test() {
  constexpr std::uint32_t kProcesses = 16;
  open_slot(AA_SLOT_SELF_TEST, TlsLevel::full, kProcesses);
}

bool KernelState::enrol_self_test(std::uint32_t pid) {
  Result<Rows> rows = scan({AA_SCAN_INSERT, pid, AA_SLOT_SELF_TEST, 0});
  if (!rows) return false;
  return std::any_of(rows->begin(), rows->end(),
                     [&](const aa_task_row& row) { return row.tgid == pid && (row.flags & AA_TASK_WATCHED) != 0; });
}

void KernelState::close_self_test() {
  close_slot(AA_SLOT_SELF_TEST);
}

}  // namespace aa
