// state/monitor.cpp: the Monitor's face, and what the passing of time does.
#include "state/monitor.h"

#include <tuple>

#include "state/monitor_impl.h"

namespace aa {
namespace {

// Old processes are forgotten in batches: an idle daemon need not wake for each.
constexpr std::uint64_t kExpireEvery = 10'000'000'000;

std::uint64_t in_ns(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(duration.count());
}

}  // namespace

Monitor::Monitor(Settings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
Monitor::~Monitor() = default;

Step Monitor::on_event(Event event) {
  Step step;
  const std::uint64_t boot_ns = event.boot_ns;
  impl_->saw_time(boot_ns);
  if (is_record(event.body)) ++impl_->consumed;
  impl_->take(step, std::move(event));
  if (impl_->lineage.over_count()) impl_->lineage.expire(boot_ns);
  if (impl_->texts.over()) impl_->exec_notes.drop_texts();
  while (impl_->texts.over() && impl_->lineage.forget_oldest()) continue;
  return step;
}

Step Monitor::apply(Command command) {
  Step step;
  if (auto* start = std::get_if<StartMonitoring>(&command)) {
    (void)impl_->start(step, std::move(*start));
  } else if (auto* rules = std::get_if<SetPathRules>(&command)) {
    impl_->set_rules(step, std::move(*rules));
  } else if (auto* unit = std::get_if<StartMonitoringUnit>(&command)) {
    (void)impl_->start_unit(step, std::move(*unit));
  } else if (auto* configure = std::get_if<Configure>(&command)) {
    impl_->configure(step, std::move(*configure));
  } else if (auto* keep = std::get_if<KeepPromises>(&command)) {
    impl_->promises_before[keep->root] = std::move(keep->rules);
    answer(step, keep->token, "");
  } else {
    impl_->stop(step, std::get<StopMonitoring>(command));
  }
  return step;
}

Step Monitor::complete(Completion completion) {
  Step step;
  if (auto* enrolled = std::get_if<Enrolled>(&completion)) {
    impl_->saw_time(enrolled->boot_ns);
    const std::uint32_t slot = enrolled->slot;
    impl_->enrolled(step, std::move(*enrolled));
    impl_->settle_taking_in(step, slot);
  } else if (const auto* released = std::get_if<Released>(&completion)) {
    impl_->saw_time(released->boot_ns);
    impl_->on_released(step, *released);
  } else if (const auto* adopted = std::get_if<Adopted>(&completion)) {
    impl_->saw_time(adopted->boot_ns);
    impl_->adopted(step, *adopted);
  } else if (const auto* rules = std::get_if<RulesInForce>(&completion)) {
    impl_->saw_time(rules->boot_ns);
    impl_->rules_done(step, *rules);
  } else if (const auto* named = std::get_if<Identified>(&completion)) {
    impl_->identified(step, *named);
  } else if (const auto* around = std::get_if<LookedAround>(&completion)) {
    impl_->saw_time(around->boot_ns);
    impl_->looked_around(step, *around);
  } else if (const auto* unit = std::get_if<UnitFound>(&completion)) {
    impl_->unit_found(step, *unit);
  } else if (auto* imported = std::get_if<Imported>(&completion)) {
    impl_->imported(step, std::move(*imported));
  } else if (const auto* settled = std::get_if<Settled>(&completion)) {
    impl_->settled(step, *settled);
  } else if (const auto* collected = std::get_if<SumsCollected>(&completion)) {
    impl_->collected(step, *collected);
  } else if (const auto* flipped = std::get_if<SumsFlipped>(&completion)) {
    impl_->saw_time(flipped->boot_ns);
    impl_->flipped(step, *flipped);
  } else {
    const auto& reconciled = std::get<Reconciled>(completion);
    impl_->saw_time(reconciled.snapshot_boot_ns);
    impl_->reconciled(step, reconciled);
  }
  return step;
}

Step Monitor::on_counts(const KernelCounts& counts) {
  Step step;
  impl_->saw_time(counts.boot_ns);
  impl_->losses(step, counts);
  impl_->slot_counts(step, counts);
  return step;
}

Step Monitor::on_probe(ProbeBody probe) {
  Step step;
  ProbeBody* known = nullptr;
  for (ProbeBody& other : impl_->probes) {
    if (other.family == probe.family && other.program == probe.program) known = &other;
  }
  if (known != nullptr && *known == probe) return step;
  const bool rested = known != nullptr && known->state == ProbeState::standby;
  if (rested && probe.state == ProbeState::attached && impl_->late_families.erase(probe.family) > 0) {
    // How many it would have told of nobody knows.
    impl_->deliver_loss(step, {probe.family, "late-attach", 0, impl_->late_since_ns, impl_->now_ns});
  }
  const bool worked = known != nullptr && known->state == ProbeState::attached;
  if (known == nullptr) known = &impl_->probes.emplace_back();
  *known = probe;
  Event event;
  event.boot_ns = impl_->now_ns;
  event.body = probe;
  impl_->deliver(step, event, nullptr);
  if (worked && (probe.state == ProbeState::failed || probe.state == ProbeState::degraded)) {
    AlertBody alert;
    alert.kind = "probe-lost";
    alert.rule = probe.program;
    alert.summary = "program " + probe.program + " of family " + probe.family + " is now " +
                    std::string(name_of(probe.state)) + (probe.reason.empty() ? "" : ": " + probe.reason);
    event.body = std::move(alert);
    impl_->deliver(step, std::move(event), nullptr);
  }
  return step;
}

Step Monitor::on_time(std::uint64_t now_boot_ns) {
  Step step;
  Impl& m = *impl_;
  m.saw_time(now_boot_ns);
  if (const auto due = m.expiry_deadline(); due && now_boot_ns >= *due) {
    m.lineage.expire(now_boot_ns);
    m.expired_ns = now_boot_ns;
  }
  m.top_up_spares(step);
  if (m.any_running() && now_boot_ns >= m.reconcile_due_ns) {
    m.reconcile_due_ns = now_boot_ns + in_ns(m.settings.policy.reconcile_every);
    step.plans.emplace_back(ReconcilePlan{});
  }
  m.flip_when_due(step, now_boot_ns);
  if (!m.idle_since_ns) return step;
  if (m.watching && now_boot_ns >= *m.idle_since_ns + in_ns(m.settings.standby_after)) {
    m.watching = false;
    step.plans.emplace_back(StandbyPlan{false});
  }
  if (now_boot_ns >= *m.idle_since_ns + in_ns(m.settings.policy.keep_exited)) m.drop_unverified();
  return step;
}

std::optional<std::uint64_t> Monitor::next_deadline() const {
  const Impl& m = *impl_;
  std::optional<std::uint64_t> next = m.expiry_deadline();
  const auto also = [&next](std::uint64_t at_ns) { next = next ? std::min(*next, at_ns) : at_ns; };
  if (m.any_running()) also(m.reconcile_due_ns);
  if (const auto flip = m.flip_deadline()) also(*flip);
  if (m.idle_since_ns && m.watching) also(*m.idle_since_ns + in_ns(m.settings.standby_after));
  if (m.idle_since_ns && m.lineage.living() > 0) also(*m.idle_since_ns + in_ns(m.settings.policy.keep_exited));
  return next;
}

std::optional<std::uint64_t> Monitor::Impl::expiry_deadline() const {
  const std::optional<std::uint64_t> due = lineage.next_expiry();
  if (!due) return std::nullopt;
  return std::max(*due, expired_ns == 0 ? 0 : expired_ns + kExpireEvery);
}

bool Monitor::Impl::is_idle() const {
  return !any_running() && enrolling.empty() && releasing.empty();
}

void Monitor::Impl::settle_idle(std::uint64_t boot_ns) {
  if (is_idle() && !idle_since_ns) idle_since_ns = std::max(boot_ns, now_ns);
}

// While nothing is watched nothing tells of ends: after so long, "alive" would be a guess.
void Monitor::Impl::drop_unverified() {
  std::vector<ProcessId> unverified;
  lineage.for_each([&](const Process& process) {
    if (process.alive()) unverified.push_back(process.id);
  });
  for (const ProcessId& id : unverified) lineage.remove(id);
}

const Lineage& Monitor::lineage() const {
  return impl_->lineage;
}

std::vector<const Target*> Monitor::targets() const {
  std::vector<const Target*> out;
  for (const bool running : {true, false}) {
    for (const auto& [key, target] : impl_->targets) {
      if (target.running == running) out.push_back(&target);
    }
  }
  return out;
}

const Target* Monitor::target(std::uint32_t key) const {
  const auto it = impl_->targets.find(key);
  return it == impl_->targets.end() ? nullptr : &it->second;
}

std::variant<const Target*, Refusal> Monitor::resolve_target(std::string_view text) const {
  return impl_->resolve(text);
}

std::vector<const Process*> Monitor::tree(const Target& target) const {
  std::vector<const Process*> out = impl_->lineage.all();
  std::erase_if(out, [&](const Process* process) { return process->target != target.key; });
  return out;
}

const std::vector<ProbeBody>& Monitor::probes() const {
  return impl_->probes;
}
const std::vector<LedgerRow>& Monitor::ledger() const {
  return impl_->ledger;
}
std::uint64_t Monitor::delivered() const {
  return impl_->delivered;
}
RepairCounts Monitor::repairs() const {
  return impl_->repairs;
}
const PathRules& Monitor::path_rules() const {
  return *impl_->rules_in_force;
}
const DetectTable& Monitor::detect_table() const {
  return impl_->detect_table();
}
const std::vector<TargetWish>& Monitor::wishes() const {
  return impl_->wishes;
}
bool Monitor::sees_files() const {
  return impl_->sees_files();
}
std::uint64_t Monitor::allowed() const {
  return impl_->allowed_count;
}
std::uint64_t Monitor::consumed_records() const {
  return impl_->consumed;
}

}  // namespace aa
