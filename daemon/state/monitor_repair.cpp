// state/monitor_repair.cpp: what was lost is said, and what it left behind is put right.
//
// Comes in: the kernel's counts, its list of living processes, processes adopted late. Goes out: loss and target
// events, alerts, plans to look again.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "state/monitor_impl.h"

namespace aa {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kAlertEvery = 10 * kSecond;  // for one family and cause
constexpr std::uint64_t kAdoptEvery = kSecond;       // for one target

bool means_no_room(std::string_view cause) {
  return cause == "watched-full" || cause == "share-full";
}

// A record of lineage that never came; the other causes lose no record, a sink loses what the Monitor has seen already,
// and files say nothing of who lives.
bool means_lost_record(const LedgerRow& row) {
  return row.family == "exec" && !means_no_room(row.cause) && row.cause != "adopt-cut";
}

// What is counted beside losses, or of them in another unit.
bool is_no_loss(std::string_view cause) {
  constexpr std::array<std::string_view, 5> kBeside = {"attempt", "sum-full", "learn-full", "rules-cut", "lost-bytes"};
  return std::find(kBeside.begin(), kBeside.end(), cause) != kBeside.end();
}

const LedgerRow* find_row(const std::vector<LedgerRow>& rows, const LedgerRow& like) {
  for (const LedgerRow& row : rows) {
    if (row.family == like.family && row.cause == like.cause) return &row;
  }
  return nullptr;
}

}  // namespace

void Monitor::Impl::losses(Step& step, const KernelCounts& counts) {
  bool records_lost = false;
  for (const LedgerRow& row : counts.ledger) {
    if (is_no_loss(row.cause)) continue;
    const LedgerRow* before = find_row(ledger, row);
    const std::uint64_t known = before == nullptr ? 0 : before->count;
    if (row.count <= known) continue;
    // What is new happened after the last reading.
    const bool is_dated = row.last_boot_ns != 0;
    const std::uint64_t last_ns = is_dated ? row.last_boot_ns : counts.boot_ns;
    const std::uint64_t first_ns = known == 0 && is_dated ? row.first_boot_ns : std::min(counts_ns, last_ns);
    deliver_loss(step, {row.family, row.cause, row.count - known, first_ns, last_ns});
    alert_loss(step, row, row.count - known, counts);
    records_lost = records_lost || means_lost_record(row);
  }
  ledger = counts.ledger;
  counts_ns = counts.boot_ns;
  if (!records_lost || !any_running()) return;
  repair_due_ns = counts.boot_ns;
  step.plans.emplace_back(ReconcilePlan{});
}

// Whose processes found no room since the last reading; the first, when several.
const SlotTable::Owner* Monitor::Impl::newly_refused(const KernelCounts& counts) const {
  for (const SlotCount& count : counts.slots) {
    const SlotTable::Owner* owner = slots.owner(count.slot);
    const auto found = owner == nullptr ? targets.end() : targets.find(owner->key);
    if (found != targets.end() && count.refused > found->second.refused) return owner;
  }
  return nullptr;
}

void Monitor::Impl::alert_loss(Step& step, const LedgerRow& row, std::uint64_t count, const KernelCounts& counts) {
  const std::uint64_t boot_ns = counts.boot_ns;
  const auto [last, is_first] = alerted_ns.try_emplace({row.family, row.cause}, boot_ns);
  if (!is_first && boot_ns < last->second + kAlertEvery) return;
  last->second = boot_ns;
  AlertBody alert;
  if (means_no_room(row.cause)) {
    const bool whole = row.cause == "watched-full";
    alert.kind = "watched-set-full";
    alert.severity = Severity::critical;
    alert.summary =
        std::to_string(count) + " processes could not be watched: " +
        (whole ? "the watched set is full (watched.limit is " + std::to_string(settings.watched_limit)
               : "a target has used up its share (watched.share is " + std::to_string(settings.target_share)) +
        " live processes); raise " + (whole ? "watched.limit" : "watched.share") + " or stop a target";
  } else if (row.cause == "undecided") {
    alert.kind = "events-lost";
    alert.summary = std::to_string(count) + " bytes of conversations were not told yet when the daemon before died";
  } else {
    alert.kind = "events-lost";
    alert.summary = std::to_string(count) + " events of family " + row.family + " were lost: " + row.cause;
  }
  alert.rule = row.cause;
  const SlotTable::Owner* owner = means_no_room(row.cause) ? newly_refused(counts) : nullptr;
  Event event;
  event.boot_ns = boot_ns;
  event.body = std::move(alert);
  deliver(step, std::move(event), owner);
}

void Monitor::Impl::slot_counts(Step& step, const KernelCounts& counts) {
  std::uint64_t live = 0;
  for (const SlotCount& count : counts.slots) live += count.live;
  for (const SlotCount& count : counts.slots) {
    const SlotTable::Owner* owner = slots.owner(count.slot);
    const auto found = owner == nullptr ? targets.end() : targets.find(owner->key);
    if (found == targets.end()) continue;
    Target* target = &found->second;
    target->attempts = count.attempts;  // of one that has just ended too: these are its last
    target->lost = count.lost;
    target->refused = count.refused;
    if (!target->running) continue;
    Watch& watch = watches[target->key];
    const bool has_room = count.live < settings.target_share && live < settings.watched_limit;
    const bool rested = watch.adopt_tried_ns == 0 || counts.boot_ns >= watch.adopt_tried_ns + kAdoptEvery;
    if (count.refused <= watch.refused_settled || !has_room || !rested) continue;
    watch.refused_tried = count.refused;
    watch.adopt_tried_ns = counts.boot_ns;
    step.plans.emplace_back(AdoptPlan{count.slot, {}});
  }
}

// A pass that found nobody leaves nobody to adopt; one that found some may have stopped for want of room.
void Monitor::Impl::adopted(Step& step, const Adopted& done) {
  Target* target = running_in_slot(done.slot);
  if (target == nullptr) return;
  Watch& watch = watches[target->key];
  bool found_any = false;
  for (const LivingProcess& living : done.processes) {
    if (living.watched && (living.slot == done.slot || living.slot == 0)) {
      introduce(step, process_of(living), target->key, done.boot_ns);
      if (living.adopted) watch.adopted_unreported.insert(living.id);
      found_any = found_any || living.adopted;
    } else {
      introduce(step, process_of(living), 0, done.boot_ns);
    }
  }
  if (!found_any) watch.refused_settled = watch.refused_tried;
  report_adopted(step, target->key, done.boot_ns);
}

void Monitor::Impl::report_adopted(Step& step, std::uint32_t key, std::uint64_t boot_ns) {
  const auto watch = watches.find(key);
  Target* target = running(key);
  if (target == nullptr || watch == watches.end() || watch->second.adopted_unreported.empty()) return;
  const std::uint64_t count = watch->second.adopted_unreported.size();
  watch->second.adopted_unreported.clear();
  target->adopted += count;
  deliver_target(step, *target, {TargetChange::adopted, count}, boot_ns);
}

void Monitor::Impl::reconciled(Step& step, const Reconciled& done) {
  mark_gone(step, done);
  take_found(step, done);
  if (repair_due_ns && *repair_due_ns <= done.snapshot_boot_ns) repair_due_ns.reset();
  std::vector<std::uint32_t> keys;
  for (const auto& [key, watch] : watches) keys.push_back(key);
  for (const std::uint32_t key : keys) {
    report_adopted(step, key, done.snapshot_boot_ns);
    check_exited(step, key, done.snapshot_boot_ns);
  }
}

// A process that began before the snapshot, and is not in it, had ended: every record of before has been seen, so its
// exit was lost. Unless that record is one of those held back. Nobody was ever told of the unwatched ones' exits.
void Monitor::Impl::mark_gone(Step& step, const Reconciled& done) {
  std::set<ProcessId> not_gone;
  for (const LivingProcess& living : done.processes) not_gone.insert(living.id);
  for (const auto& [slot, enrolment] : enrolling) {
    for (const Event& event : enrolment.held) not_gone.insert(event.process->id);
  }
  for (const auto& [id, event] : ending) not_gone.insert(id);
  std::vector<ProcessId> gone;
  std::uint64_t watched = 0;
  lineage.for_each([&](const Process& process) {
    if (!process.alive() || process.id.start_ns >= done.snapshot_boot_ns || not_gone.contains(process.id)) return;
    gone.push_back(process.id);
    watched += process.watched ? 1 : 0;
  });
  std::sort(gone.begin(), gone.end());
  for (const ProcessId& id : gone) ended(id, kExitLost, done.snapshot_boot_ns);
  repairs.reconciled_lost_exits += watched;
  const std::uint64_t at_ns = done.snapshot_boot_ns;
  if (watched > 0) deliver_loss(step, {"lineage", "exit-lost", watched, std::min(reconciled_ns, at_ns), at_ns});
}

void Monitor::Impl::take_found(Step& step, const Reconciled& done) {
  const std::uint64_t at_ns = done.snapshot_boot_ns;
  std::uint64_t unknown = 0;
  for (const LivingProcess& living : done.processes) {
    const Process* known = lineage.get(living.id);
    const Target* target = living.watched ? running_in_slot(living.slot) : nullptr;
    // One that began after the snapshot did may have its fork record still under way.
    if (known == nullptr && (target == nullptr || living.id.start_ns >= at_ns)) continue;
    if (known == nullptr) {
      ++unknown;
    } else if (known->exit == kExitLost && target != nullptr) {
      revive(living.id);
    }
    introduce(step, process_of(living), target == nullptr ? 0 : target->key, at_ns);
  }
  repairs.reconciled_found += unknown;
  if (unknown > 0) deliver_loss(step, {"lineage", "fork-lost", unknown, std::min(reconciled_ns, at_ns), at_ns});
  reconciled_ns = at_ns;
}

Process Monitor::Impl::process_of(const LivingProcess& living) {
  Process process;
  process.id = living.id;
  process.parent = living.parent;
  process.parent_source = living.parent_source;
  process.uid = living.uid;
  process.gid = living.gid;
  process.ns_pid = living.ns_pid;
  process.image = living.image;
  living.comm.copy(process.comm, sizeof(process.comm) - 1);
  process.cgroup = share_cgroup(living.cgroup, lineage.get(living.id), lineage.get(living.parent));
  if (living.has_text) {
    process.text = texts.make(living.exe, living.cwd, living.argv, false);
  }
  return process;
}

}  // namespace aa
