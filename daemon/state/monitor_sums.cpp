// state/monitor_sums.cpp: reads and writes told as sums, and exits that wait for them.
//
// Comes in: sums the kernel ended (a file's last descriptor was closed), gave up (a flip), or that were fetched because
// their process had ended. Goes out: file events with bytes and count. A process's exit is told after everything it
// did.
#include <algorithm>

#include "state/monitor_impl.h"

namespace aa {
namespace {

// Without a file that was told of, sums can only be those whose first event found no room.
constexpr std::uint64_t kRareFlips = 10;

SumKey key_of_event(const Event& event, const FileBody& body) {
  return {event.process->id, body.sum_key, body.ino, body.dev, body.inode_generation, body.generation};
}

}  // namespace

void Monitor::Impl::note_summed(const Event& event) {
  const auto& body = std::get<FileBody>(event.body);
  if (body.sum_key == 0) return;
  SummedFile& file = summed[key_of_event(event, body)];
  file.process = *event.process;
  file.body = body;
  file.body.flags.reset();
  file.body.mode.reset();
  file.body.at.requested.clear();
  file.flip = flips;
}

bool Monitor::Impl::is_summed(std::uint64_t generation) const {
  return std::ranges::any_of(summed, [&](const auto& entry) { return entry.first.generation == generation; });
}

void Monitor::Impl::tell_sum(Step& step, const FileSum& sum, FileOp op, std::uint64_t bytes, std::uint64_t count) {
  if (count == 0 || SlotTable::row_of(sum.slot) == SlotTable::kSelfTestRow) return;
  Event event;
  event.boot_ns = sum.last_boot_ns;
  event.slot = sum.slot;
  FileBody body;
  if (const auto known = summed.find(sum.key); known != summed.end()) {
    event.process = known->second.process;
    body = known->second.body;
  } else {
    event.process.emplace();
    event.process->id = sum.key.process;
    event.process->tid = sum.key.process.pid;
    if (const Process* process = lineage.get(sum.key.process)) event.process->image = process->image;
    complete_process(*event.process);
    body.dev = sum.key.dev;
    body.ino = sum.key.ino;
    body.inode_generation = sum.key.inode_generation;
  }
  body.op = op;
  body.sum_key = 0;
  body.bytes = bytes;
  body.count = count;
  body.result = static_cast<std::int64_t>(bytes);
  body.generation = sum.key.generation;
  event.body = std::move(body);
  on_file(step, std::move(event), slots.owner(sum.slot));
}

void Monitor::Impl::tell_sums(Step& step, const std::vector<FileSum>& sums) {
  for (const FileSum& sum : sums) {
    if (let_go_slots.contains(sum.slot)) continue;
    tell_sum(step, sum, FileOp::read, sum.read_bytes, sum.reads);
    tell_sum(step, sum, FileOp::write, sum.write_bytes, sum.writes);
  }
}

// Bulk is read after what is urgent: a process's files may still be under way when its exit is here.
void Monitor::Impl::on_exit(Step& step, Event event) {
  if (!sees_files() && !sees("tls")) return ended_now(step, std::move(event));
  const ProcessId id = event.process->id;
  if (!ending.emplace(id, std::move(event)).second) return;
  step.plans.emplace_back(SettlePlan{id});
}

void Monitor::Impl::settled(Step& step, const Settled& done) {
  CollectSumsPlan plan{done.process, {}};
  const SumKey first{done.process};
  for (auto at = summed.lower_bound(first); at != summed.end() && at->first.process == done.process; ++at)
    plan.keys.push_back(at->first);
  if (plan.keys.empty() || !ending.contains(done.process)) return finish_exit(step, done.process);
  step.plans.emplace_back(std::move(plan));
}

void Monitor::Impl::collected(Step& step, const SumsCollected& done) {
  tell_sums(step, done.sums);
  const SumKey first{done.process};
  auto last = summed.lower_bound(first);
  const auto begin = last;
  while (last != summed.end() && last->first.process == done.process) ++last;
  summed.erase(begin, last);
  finish_exit(step, done.process);
}

void Monitor::Impl::finish_exit(Step& step, const ProcessId& id) {
  auto node = ending.extract(id);
  if (!node.empty()) ended_now(step, std::move(node.mapped()));
}

// The kernel adds nothing more to a released target's sums: the next flip brings the last of them.
void Monitor::Impl::on_released(Step& step, const Released& done) {
  if (!sees_files() || (summed.empty() && !flipping)) return released(step, done);
  releases_asked.push_back(done);
  if (!flipping) flip(step);
}

// What was told of before this flip was asked for is in the kernel no more.
void Monitor::Impl::flipped(Step& step, const SumsFlipped& done) {
  tell_sums(step, done.sums);
  flipping = false;
  std::erase_if(summed, [this](const auto& entry) { return entry.second.flip < flips; });
  for (const Released& one : std::exchange(releases_waiting, {})) released(step, one);
  if (!releases_asked.empty()) flip(step);
}

void Monitor::Impl::flip(Step& step) {
  flipping = true;
  ++flips;
  releases_waiting = std::exchange(releases_asked, {});
  step.plans.emplace_back(FlipSumsPlan{});
}

std::optional<std::uint64_t> Monitor::Impl::flip_deadline() const {
  if (flipping || !any_running() || !sees_files()) return std::nullopt;
  const auto every = static_cast<std::uint64_t>(settings.policy.sums_every.count());
  return summed.empty() ? flip_due_ns + every * (kRareFlips - 1) : flip_due_ns;
}

void Monitor::Impl::flip_when_due(Step& step, std::uint64_t now_boot_ns) {
  const auto due = flip_deadline();
  if (!due || now_boot_ns < *due) return;
  flip_due_ns = now_boot_ns + static_cast<std::uint64_t>(settings.policy.sums_every.count());
  flip(step);
}

}  // namespace aa
