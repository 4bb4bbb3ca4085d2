// state/monitor_discovery.cpp: targets that the kernel started by itself.
//
// Comes in: records of slots that were made ready for that. Goes out: a target when the full rule confirms it, else a
// plan to let go. The kernel goes by the hash of a name, so that nothing of an agent's early life waits for us.
#include "state/discovery.h"
#include "state/monitor_impl.h"

namespace aa {
namespace {

constexpr std::size_t kSpares = 16;       // starts that may come between two turns
constexpr std::size_t kLetGoKept = 1024;  // more than there are rows: the oldest was released long ago

}  // namespace

void Monitor::Impl::top_up_spares(Step& step) {
  const bool looks = !looked_for.names.empty() || !looked_for.users.empty() || !settings.policy.agents.empty();
  while (looks && spares.size() < kSpares) {
    const std::optional<std::uint32_t> slot = slots.take();
    if (!slot) return;
    spares.insert(*slot);
    step.plans.emplace_back(SparePlan{*slot, settings.target_share});
  }
}

bool Monitor::Impl::take_discovered(Step& step, Event& event) {
  if (let_go_slots.contains(event.slot)) return true;
  if (!spares.contains(event.slot)) return false;
  spares.erase(event.slot);
  const auto* exec = std::get_if<ExecBody>(&event.body);
  // Its own exec was lost: there is nothing to judge by, and watching too much is the lesser mistake.
  const bool unseen = exec == nullptr || !exec->discovered;
  const TargetWish* wish = unseen ? nullptr : wish_of(*event.process, *exec);
  std::optional<std::string> name =
      unseen ? std::string(event.process->comm) : agent_of(settings.policy.agents, *event.process, *exec);
  if (wish != nullptr) name = name_of_wish(*wish, *event.process, *exec);
  const bool wanted = wish != nullptr || (name && uid_has_room(event.process->uid));
  if (name && !wanted) deliver_loss(step, {"exec", "agents-per-uid", 1, event.boot_ns, event.boot_ns});
  if (!wanted) {
    let_go(step, event.slot);
  } else {
    claim(step, event, *name, wish);
  }
  top_up_spares(step);
  return !wanted;
}

bool Monitor::Impl::uid_has_room(std::uint32_t uid) const {
  const auto count = std::count_if(targets.begin(), targets.end(), [&](const auto& entry) {
    const Target& target = entry.second;
    return target.running && target.source == TargetSource::discovered && target.owner_uid == uid;
  });
  return static_cast<std::uint32_t>(count) < settings.policy.agents_per_uid;
}

void Monitor::Impl::let_go(Step& step, std::uint32_t slot) {
  let_go_slots.insert(slot);
  let_go_order.push_back(slot);
  if (let_go_order.size() > kLetGoKept) {
    let_go_slots.erase(let_go_order.front());
    let_go_order.pop_front();
  }
  releasing[slot] = {};
  step.plans.emplace_back(ReleasePlan{0, slot, std::nullopt});
}

void Monitor::Impl::claim(Step& step, const Event& event, const std::string& name, const TargetWish* wish) {
  idle_since_ns.reset();
  if (!std::exchange(watching, true)) {
    late_since_ns = event.boot_ns;
    late_families.clear();
    for (const ProbeBody& probe : probes)
      if (probe.state == ProbeState::standby) late_families.insert(probe.family);
    step.plans.emplace_back(StandbyPlan{true});
  }
  Enrolled done;
  done.slot = event.slot;
  done.boot_ns = event.boot_ns;
  done.root = event.process->id;
  Enrolment enrolment;
  enrolment.command.source = wish == nullptr ? TargetSource::discovered : TargetSource::config;
  if (wish != nullptr) enrolment.wish = std::make_shared<const TargetWish>(*wish);
  if (wish != nullptr) enrolment.command.tls = wish->tls;
  enrolment.command.owner_uid = event.process->uid;
  Target& target = add_target(done, enrolment);
  target.name = check_target_name(name) ? "pid-" + std::to_string(done.root.pid) : name;
  slots.own({done.slot, target.key, {target.id, target.name}, 0});
  deliver_target(step, target, {TargetChange::added, 0}, event.boot_ns);
  if (const auto* exec = std::get_if<ExecBody>(&event.body)) begin_imports(step, target, event.process->uid, exec->cwd);
  step.plans.emplace_back(AdoptPlan{done.slot, done.root, target.tls});
}

}  // namespace aa
