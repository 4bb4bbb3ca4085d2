// daemon_flow.cpp: one turn: records in, events out, plans carried out, completions in, the ring released.
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "daemon.h"

namespace aa {
namespace {

constexpr std::size_t kRecordsPerTurn = 4096, kRecordsAtOnce = 4;
constexpr std::uint64_t kTurnNs = 50'000'000;  // whoever asks for something waits for the records of a turn
// A wake-up costs ten to fifty records: after each reading the ring is left alone this long.
constexpr std::uint64_t kQuietNs = 4'000'000;
constexpr std::uint64_t kCountsEveryNs = 1'000'000'000;
constexpr std::uint64_t kSweepEveryNs = 10'000'000'000;
constexpr std::uint64_t kDiskPatienceNs = 2'000'000'000;
constexpr std::uint64_t kShortPatienceNs = 100'000'000;  // while the kernel runs out of room
constexpr double kRingNearlyFull = 0.75;

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;  // clang 14 does not deduce aggregates

}  // namespace

// ---- events →
// --------------------------------------------------------------------------------------------------------

void Daemon::take_record(Event event) {
  if (self_test_->saw(event)) return;
  const std::optional<LossBody> unheard = tls_discovery_->saw(event);
  input(std::move(event));
  if (!unheard) return;
  publish_probes();
  tell_late_attach(*unheard);
}

void Daemon::tell_late_attach(const LossBody& loss) {
  Event event;
  event.boot_ns = loss.last_boot_ns;
  event.body = loss;
  input(std::move(event));
}

void Daemon::take_held() {
  const int fd = hold_->fd();
  if (!hold_->take()) {
    loop_->remove(fd);
    publish_probes();
  }
  look_into_held();
}

// Who stands still has not run a single instruction of what was mapped: nothing is missing, unless the limit came
// first.
void Daemon::look_into_held() {
  const std::vector<TlsHold::Held> ready = hold_->ready();
  const std::uint64_t until = boot_ns() + kTurnNs;
  for (const TlsHold::Held& one : ready) {
    if (boot_ns() >= until) return hold_->look_soon();
    const bool attached = tls_discovery_->look_into(one.pid, one.since_ns);
    const bool held =
        hold_->let_go(one.pid, [this](const aa_hold_file& file) { return tls_discovery_->is_of_each_process(file); });
    if (!attached) continue;
    publish_probes();
    if (!held) tell_late_attach({"tls", "late-attach", 0, one.since_ns, boot_ns()});
  }
}

void Daemon::look_into_forked() {
  const std::vector<LossBody> unheard = tls_discovery_->take_forked();
  if (!unheard.empty()) publish_probes();
  for (const LossBody& loss : unheard) tell_late_attach(loss);
  if (tls_discovery_->has_forked()) drain_now_ = true;
}

// Who rewrites a file without end must not wake us without end.
void Daemon::take_rewritten() {
  if (tls_->take_changes()) publish_probes();
  loop_->modify(tls_->changes_fd(), 0);
  rewritten_rest_until_ = boot_ns() + kQuietNs;
}

void Daemon::listen_for_rewritten() {
  rewritten_rest_until_.reset();
  loop_->modify(tls_->changes_fd(), EPOLLIN);
}

void Daemon::look_into_rewritten() {
  const std::optional<LossBody> unheard = tls_->look_into_rewritten();
  if (tls_->take_news()) publish_probes();
  if (unheard) tell_late_attach(*unheard);
}

void Daemon::look_into_waiting() {
  const std::optional<LossBody> unheard = tls_discovery_->look_into_waiting();
  if (!unheard) return;
  publish_probes();
  tell_late_attach(*unheard);
}

// What a process has mapped already: before anybody is told that it is watched.
bool Daemon::look_for_tls(const std::vector<LivingProcess>& processes, std::uint64_t since_ns) {
  std::vector<std::uint32_t> watched;
  for (const LivingProcess& process : processes)
    if (process.watched) watched.push_back(process.id.pid);
  const bool attached = tls_discovery_->look_into(std::move(watched), since_ns);
  if (attached) publish_probes();
  return attached;
}

// What came with a record that was lost is found by looking at everybody: a library may be mapped for hours.
void Daemon::note_missed(const KernelCounts& counts) {
  constexpr std::array<std::string_view, 3> kNeverCame = {"ring-full", "scratch", "recursion"};
  std::uint64_t missed = 0;
  for (const LedgerRow& row : counts.ledger)
    if ((row.family == "file" || row.family == "exec") &&
        std::find(kNeverCame.begin(), kNeverCame.end(), row.cause) != kNeverCame.end())
      missed += row.count;
  const bool is_news = std::exchange(missed_known_, missed) != missed;
  if (is_news && missed_since_ns_ == 0 && tls_->runs()) missed_since_ns_ = std::max<std::uint64_t>(counts_ns_, 1);
  counts_ns_ = boot_ns();
}

// A twentieth of the time at most: who loses records is busy.
void Daemon::look_again() {
  constexpr std::uint64_t kEveryNs = 2'000'000'000, kShare = 20;
  const std::uint64_t since = std::exchange(missed_since_ns_, 0), began = boot_ns();
  const bool attached = look_for_tls(kernel_->reconcile().processes, since);
  const std::uint64_t now = boot_ns();
  look_again_ns_ = now + std::max(kEveryNs, kShare * (now - began));
  if (attached) tell_late_attach({"tls", "late-attach", 0, since, now});
}

void Daemon::input(Input input) {
  if (recorder_) recorder_->take(input);
  carry_on(feed(*monitor_, std::move(input)));
}

void Daemon::carry_on(const Step& step) {
  for (const Event& event : step.events) {
    fan_out_.deliver(event);
    runtime_changed_ = runtime_changed_ || std::holds_alternative<TargetBody>(event.body);
  }
  for (const Plan& plan : step.plans) {
    runtime_changed_ = runtime_changed_ || std::holds_alternative<RulesPlan>(plan);
    carry_out(plan);
  }
  // Then: whoever is told that it is done finds it so, and what comes next follows.
  for (const Answer& answer : step.answers) {
    if (answer.token == kConfigureToken || answer.token == kReloadToken)
      take_configured(answer);
    else if (answer.token == kRestoreToken)
      take_restored(answer);
    else if (control_)
      control_->answer(answer);
    runtime_changed_ = true;  // path rules have no event
  }
}

bool Daemon::turn() {
  bool more = false;
  if (drain_now_ || !pending_.empty()) {
    drain_now_ = false;
    drain();
    more = source_->waiting();
  }
  settle();
  if (runtime_changed_) keep_runtime();
  return more || drain_now_ || (!pending_.empty() && source_->reached(pending_.front().mark));
}

void Daemon::drain() {
  const std::uint64_t before = source_->bytes_read();
  const BpfSource::Positions mark = source_->mark();
  // Before the records: an exit below the mark must not end a target while a fork below it is among the lost.
  if (source_->waiting() && kernel_->lost() != lost_known_) refresh_counts();
  const std::uint64_t until = boot_ns() + kTurnNs;
  for (std::size_t read = 0; read < kRecordsPerTurn && boot_ns() < until; read += kRecordsAtOnce)
    if (!source_->drain(mark, kRecordsAtOnce)) break;
  bool completed = false;
  while (!pending_.empty() && source_->reached(pending_.front().mark)) {
    Completion completion = std::move(pending_.front().completion);
    pending_.pop_front();
    if (const auto* settled = std::get_if<Settled>(&completion)) source_->end(settled->process);
    input(std::move(completion));
    completed = true;
  }
  if (completed) update_status();
  look_into_forked();
  if (source_->bytes_read() == before) return;
  quiet_until_ = boot_ns() + kQuietNs;
  if (next_counts_ == 0) next_counts_ = quiet_until_ + kCountsEveryNs;
}

// Hands the turn's output to the sinks, and listens to the ring again once it is quiet and released.
void Daemon::settle() {
  keep_undecided();
  if (subscribers_) subscribers_->flush();
  settle_recording();
  if (jsonl_) {
    jsonl_->seal(source_->stamp());
    if (source_->unreleased()) give_up_on_disk();
  } else {
    source_->release(source_->stamp());
  }
  const bool listen = boot_ns() >= quiet_until_ && !source_->unreleased();
  if (!listen && boot_ns() >= quiet_until_) quiet_until_ = boot_ns() + kQuietNs;
  if (listen) {
    files_->set_reader_idle();
    tls_->set_reader_idle();
    if (source_->waiting()) drain_now_ = true;  // came before the programs could know
  }
  if (listen == ring_armed_) return;
  ring_armed_ = listen;
  for (const int fd : ring_fds_) loop_->modify(fd, listen ? std::uint32_t{EPOLLIN} : 0u);
}

void Daemon::acknowledge() {
  jsonl_->clear_ack();
  source_->release(jsonl_->acknowledged());
  unacknowledged_since_ = 0;
}

// The disk does not follow: rather than lose what the kernel will see next, lose what waits to be written, and say so.
void Daemon::give_up_on_disk() {
  const std::uint64_t now = boot_ns();
  if (unacknowledged_since_ == 0) unacknowledged_since_ = now;
  const bool nearly_full = source_->fill() >= kRingNearlyFull;
  if (now - unacknowledged_since_ < (nearly_full ? kShortPatienceNs : kDiskPatienceNs)) return;
  jsonl_->drop_waiting();
  source_->release(jsonl_->acknowledged());
  unacknowledged_since_ = 0;
}

// ---- ← commands
// ------------------------------------------------------------------------------------------------------

void Daemon::carry_out(const Plan& plan) {
  std::visit(Overloaded{
                 [this](const EnrolPlan& enrol) {
                   Enrolled done = kernel_->enrol(enrol);
                   look_for_tls(done.processes, boot_ns());
                   complete_later(std::move(done));
                 },
                 [this](const EnrolUnitPlan& enrol) {
                   Enrolled done = kernel_->enrol(enrol);
                   look_for_tls(done.processes, boot_ns());
                   complete_later(std::move(done));
                   publish_probes();  // programs that rest while no unit is watched
                 },
                 [this](const ReleasePlan& release) {
                   refresh_counts();  // the slot's last: its row is given away after this
                   complete_later(kernel_->release(release));
                   tls_->let_go_of_unwatched();
                   tls_->forget_starts();
                   publish_probes();
                 },
                 [this](const AdoptPlan& adopt) {
                   Adopted done = kernel_->adopt(adopt);
                   look_for_tls(done.processes, boot_ns());
                   complete_later(std::move(done));
                 },
                 [this](const ReconcilePlan&) { complete_later(kernel_->reconcile()); },
                 [this](const SparePlan& spare) { kernel_->spare(spare); },
                 [this](const StandbyPlan& standby) {
                   family_->set_watching(standby.watching);
                   tls_->set_watching(standby.watching);
                   if (hold_) hold_->set_watching(standby.watching);
                   if (const Status ring = source_->set_watching(standby.watching); !ring)
                     spdlog::error("file operations are not read: {}", ring.error().text());
                   else
                     files_->set_watching(standby.watching);
                   input(TimePassed{boot_ns()});  // so that what came too early can be dated
                   publish_probes();
                 },
                 [this](const RulesPlan& rules) { file_rules_->put(rules); },
                 [this](const LearnPlan& learn) { file_rules_->learn(learn); },
                 [this](const UnlearnedPlan& unlearned) { files_->count_unlearned(unlearned.names); },
                 [this](const SettlePlan& settle) { complete_later(Settled{settle.process}); },
                 [this](const CollectSumsPlan& collect) {
                   complete_later(SumsCollected{collect.process, file_sums_->collect(collect.keys)});
                 },
                 [this](const FlipSumsPlan&) { file_sums_->flip(); },
                 [this](const IdentifyPlan& identify) { identifier_->ask(identify); },
                 [this](const LookForPlan& look) {
                   if (Status looking = kernel_->look_for(look); !looking)
                     spdlog::error("agents are not looked for: {}", looking.error().text());
                 },
                 [this](const LookAroundPlan&) { complete_later(kernel_->look_around()); },
                 [this](const FindUnitPlan& find) { find_unit(find.unit); },
                 [this](const ImportPlan& import) { importer_->ask(import, boot_ns()); },
             },
             plan);
}

// A completion is an input like any other, and comes after every record written before it.
void Daemon::complete_later(Completion completion) {
  pending_.push_back({source_->mark(), std::move(completion)});
  drain_now_ = true;
}

void Daemon::refresh_counts() {
  lost_known_ = kernel_->lost();
  if (const std::uint64_t now = boot_ns(); now > swept_ns_ + kSweepEveryNs) {
    swept_ns_ = now;
    files_->sweep();
    tls_->sweep(now);
  }
  KernelCounts counts = kernel_->counts();
  const BpfSource::Counts& source = source_->counts();
  counts.ledger.push_back({"exec", "bad-record", source.bad, source.bad_first_ns, source.bad_last_ns});
  if (lost_with_the_last_.count != 0) counts.ledger.push_back(lost_with_the_last_);
  if (jsonl_) {
    const JsonlSink::Counts sink = jsonl_->counts();
    counts.ledger.insert(counts.ledger.end(), {sink.write_errors, sink.stalled});
  }
  if (tls_->take_news()) publish_probes();
  note_missed(counts);
  next_counts_ = !counts.slots.empty() ? boot_ns() + kCountsEveryNs : 0;
  input(std::move(counts));
}

// What has not changed is not told again: there may be thousands of libraries, and each that comes tells of all. (The
// last rows move when one comes, which says nothing new.)
void Daemon::publish_probes() {
  const std::vector<ProbeBody> before = std::exchange(published_, probes());
  for (std::size_t i = 0; i < published_.size(); ++i)
    if (i >= before.size() || published_[i] != before[i]) input(published_[i]);
}

}  // namespace aa
