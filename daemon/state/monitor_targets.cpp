// state/monitor_targets.cpp: the life of a target: asked for, enrolled, exited or released, forgotten.
//
// A process belongs to its innermost enrolled root. A target has exited when no process of its own lives and no running
// target is nested in it: a nested one's processes would come back to it. A unit never exits: it may be started again.
#include <algorithm>
#include <charconv>

#include "state/monitor_impl.h"

namespace aa {
namespace {

std::string default_name(const Process* root, std::uint32_t pid) {
  const std::string comm = root == nullptr ? "" : root->comm;
  return check_target_name(comm) ? "pid-" + std::to_string(pid) : comm;
}

std::optional<std::uint32_t> as_pid(std::string_view text) {
  std::uint32_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return pid;
}

Refusal ambiguous(std::string_view text, const std::vector<const Target*>& candidates) {
  std::string sentence = std::to_string(candidates.size()) + " targets are called \"" + std::string(text) + "\": ";
  for (const Target* target : candidates) {
    if (target != candidates.front()) sentence += ", ";
    sentence += target->id + " (root pid " + std::to_string(target->root.pid) + ")";
  }
  return {Fault::invalid_argument, sentence + "; name one by its id"};
}

}  // namespace

void answer(Step& step, Token token, std::variant<std::string, Refusal> outcome) {
  if (token != 0) step.answers.push_back({token, std::move(outcome)});
}

Target* Monitor::Impl::running(std::uint32_t key) {
  const auto it = targets.find(key);
  return it != targets.end() && it->second.running ? &it->second : nullptr;
}

Target* Monitor::Impl::running_in_slot(std::uint32_t slot) {
  const SlotTable::Owner* owner = slots.owner(slot);
  return owner == nullptr ? nullptr : running(owner->key);
}

// The nearest outer target that will still be there when this one's release is carried out.
std::optional<std::uint32_t> Monitor::Impl::return_slot(const Target& target) {
  for (const Target* outer = running(target.outer); outer != nullptr; outer = running(outer->outer)) {
    if (!releasing.contains(outer->slot)) return outer->slot;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Monitor::Impl::start(Step& step, StartMonitoring command) {
  if (command.pid == 0) {
    const Refusal refusal{Fault::invalid_argument, "pid 0 is not a process; give the pid of a running process"};
    answer(step, command.token, refusal);
    return std::nullopt;
  }
  const std::optional<std::uint32_t> slot = open_slot(step, command.token, command.name);
  if (!slot) return std::nullopt;
  EnrolPlan plan{command.token,         *slot,       command.pid, command.root, command.pidfd,
                 settings.target_share, command.tls, {}};
  const Process* root = lineage.by_pid(command.pid);
  if (root != nullptr && root->alive() && root->watched) {
    for (const Process* process : lineage.descendants(root->id)) {
      if (process->alive() && process->watched && process->target == root->target) plan.members.push_back(process->id);
    }
  }
  enrolling.emplace(*slot, Enrolment{std::move(command), "", "", nullptr, {}});
  step.plans.push_back(std::move(plan));
  return slot;
}

std::optional<std::uint32_t> Monitor::Impl::open_slot(Step& step, Token token, const std::string& name) {
  if (std::optional<Refusal> bad = name.empty() ? std::nullopt : check_target_name(name)) {
    answer(step, token, *bad);
    return std::nullopt;
  }
  const std::optional<std::uint32_t> slot = slots.take();  // spares are the kernel's already
  if (!slot) {
    const Refusal refusal{Fault::limit_reached, "all " + std::to_string(SlotTable::kRows - 1) +
                                                    " target slots are in use; stop monitoring a target first"};
    answer(step, token, refusal);
    return std::nullopt;
  }
  idle_since_ns.reset();
  if (!std::exchange(watching, true)) step.plans.emplace_back(StandbyPlan{true});
  return slot;
}

void Monitor::Impl::enrolled(Step& step, Enrolled done) {
  auto node = enrolling.extract(done.slot);
  if (node.empty()) return;
  Enrolment enrolment = std::move(node.mapped());
  if (done.refusal || done.already) return not_enrolled(step, done, std::move(enrolment));

  const std::uint32_t key = add_target(done, enrolment).key;
  std::set<ProcessId> taken_in;
  for (const LivingProcess& living : done.processes) {
    const bool inside = living.watched && (living.slot == done.slot || living.slot == 0);
    const Process* known = lineage.get(living.id);
    const bool from_another = known != nullptr && known->watched && known->target != key;
    Process& process = introduce(step, process_of(living), inside ? key : 0, done.boot_ns);
    if (!inside) continue;
    move_to(process, key);  // also from the outer target
    if ((living.adopted || from_another) && living.id != done.root) taken_in.insert(living.id);
  }
  for (const Event& event : enrolment.held) {
    const ProcessId& id = event.process->id;
    if (std::holds_alternative<AdoptedBody>(event.body) && id != done.root) taken_in.insert(id);
  }
  Target& target = targets.at(key);
  take_nested(target);
  target.adopted = taken_in.size();
  target.name = name_for(done, enrolment);
  slots.own({done.slot, key, {target.id, target.name}, 0});
  deliver_target(step, target, {TargetChange::added, taken_in.size()}, done.boot_ns);
  begin_imports(step, target);
  answer(step, enrolment.command.token, target.id);
  for (Event& event : enrolment.held) take(step, std::move(event));
  if (const auto it = watches.find(key); it != watches.end()) {
    std::erase_if(it->second.adopted_unreported,
                  [&](const ProcessId& id) { return id == done.root || taken_in.contains(id); });
  }
  if (enrolment.wish && !is_wished(*enrolment.wish)) {  // the configuration has changed meanwhile
    stop(step, {0, target.id});
    seek(step, std::nullopt);
  } else if (enrolment.wish && !enrolment.unit.empty()) {
    let_go_unwished(step, wishes);  // who was found before it and is in it
  }
  check_exited(step, key, done.boot_ns);
  if (const auto it = targets.find(key); it != targets.end()) check_exited(step, it->second.outer, done.boot_ns);
}

// Targets that were there first and whose roots descend from this one's: it is the one they are nested in from now on.
void Monitor::Impl::take_nested(const Target& outer) {
  if (!outer.root) return;
  for (auto& [key, target] : targets)
    if (key != outer.key && target.running && target.outer == outer.outer && target.root &&
        lineage.is_descendant_of(target.root, outer.root))
      target.outer = outer.key;
}

std::string Monitor::Impl::name_for(const Enrolled& done, const Enrolment& enrolment) const {
  if (!enrolment.command.name.empty()) return enrolment.command.name;
  if (enrolment.unit.empty()) return default_name(lineage.get(done.root), done.root.pid);
  return check_target_name(enrolment.unit) ? "unit-" + std::to_string(last_key) : enrolment.unit;
}

Target& Monitor::Impl::add_target(const Enrolled& done, const Enrolment& enrolment) {
  const StartMonitoring& command = enrolment.command;
  if (!any_running())
    reconcile_due_ns = done.boot_ns + static_cast<std::uint64_t>(settings.policy.reconcile_every.count());
  const std::string id =
      enrolment.unit.empty() ? target_id(settings.boot_id, done.root) : target_id(settings.boot_id, enrolment.unit);
  std::erase_if(targets, [&](const auto& entry) { return !entry.second.running && entry.second.id == id; });
  const Target* outer = done.outer ? running_in_slot(*done.outer) : nullptr;
  Target target;
  target.key = ++last_key;
  target.id = id;
  target.root = done.root;
  target.unit = enrolment.unit;
  target.cgroup = enrolment.cgroup;
  target.wish = enrolment.wish;
  target.source = command.source;
  target.on_bus = command.source == TargetSource::dbus || asked_on_bus.erase(id) > 0;
  target.tls = command.tls;
  target.owner_uid = command.owner_uid;
  target.slot = done.slot;
  target.outer = outer == nullptr ? 0 : outer->key;
  target.started_boot_ns = done.boot_ns;
  watches[target.key] = {};
  return targets.emplace(target.key, std::move(target)).first->second;
}

// Nothing became of it. Records that came for the slot all the same are delivered as their processes' own.
void Monitor::Impl::not_enrolled(Step& step, const Enrolled& done, Enrolment enrolment) {
  slots.give_back(done.slot);
  if (done.refusal) {
    answer(step, enrolment.command.token, *done.refusal);
    if (enrolment.wish && is_wished(*enrolment.wish)) not_watched(step, *enrolment.wish, *done.refusal);
  } else if (Target* target = running_in_slot(*done.already)) {
    target->on_bus = target->on_bus || enrolment.command.source == TargetSource::dbus;
    if (enrolment.wish) {  // the configuration takes over what the bus asked for
      target->wish = enrolment.wish;
      target->source = TargetSource::config;
      begin_imports(step, *target);
    }
    answer(step, enrolment.command.token, target->id);
  } else {
    const Refusal refusal{Fault::failed, "the target this process is the root of is just ending; try again"};
    answer(step, enrolment.command.token, refusal);
  }
  for (Event& event : enrolment.held) take(step, std::move(event));
  settle_idle(done.boot_ns);
}

void Monitor::Impl::move_to(Process& process, std::uint32_t key) {
  if (process.watched && process.target == key) return;
  if (process.watched && process.alive()) {
    if (Target* from = running(process.target)) --from->live;
  }
  process.watched = key != 0;
  process.target = key;
  if (Target* to = running(key)) {
    ++to->processes;
    if (process.alive()) ++to->live;
  }
}

void Monitor::Impl::ended(const ProcessId& id, std::int32_t status, std::uint64_t boot_ns) {
  const Process* process = lineage.get(id);
  if (process != nullptr && process->alive() && process->watched) {
    if (Target* target = running(process->target)) --target->live;
  }
  lineage.exited(id, status, boot_ns);
}

void Monitor::Impl::check_exited(Step& step, std::uint32_t key, std::uint64_t boot_ns) {
  Target* target = running(key);
  if (target != nullptr && target->live != 0 && promises_waiting.erase(key) > 0) ask_another(step, *target, {});
  // After lost records lineage may have missed a fork: only the kernel's own list can say that nobody is left.
  if (target == nullptr || target->live != 0 || repair_due_ns || releasing.contains(target->slot)) return;
  if (!target->unit.empty()) return;  // it may be started again
  const bool holds_nested = std::any_of(targets.begin(), targets.end(), [&](const auto& entry) {
    return entry.second.running && entry.second.outer == key;
  });
  if (holds_nested) return;
  report_adopted(step, key, boot_ns);
  target->running = false;
  target->ended_boot_ns = boot_ns;
  watches.erase(key);
  drop_promises(step, key);
  deliver_target(step, *target, {TargetChange::exited, 0}, boot_ns);
  const std::uint32_t outer_key = target->outer;
  step.plans.emplace_back(ReleasePlan{0, target->slot, return_slot(*target)});
  releasing[target->slot] = {};
  forget_exited_targets();
  check_exited(step, outer_key, boot_ns);
}

void Monitor::Impl::forget_exited_targets() {
  for (;;) {
    std::size_t exited = 0;
    const Target* oldest = nullptr;
    for (const auto& [key, target] : targets) {
      if (target.running) continue;
      ++exited;
      if (oldest == nullptr || target.ended_boot_ns < oldest->ended_boot_ns) oldest = &target;
    }
    if (exited <= settings.keep_exited_targets) return;
    targets.erase(oldest->key);
  }
}

void Monitor::Impl::stop(Step& step, const StopMonitoring& command) {
  const auto found = resolve(command.target);
  if (const auto* refusal = std::get_if<Refusal>(&found)) return answer(step, command.token, *refusal);
  const Target& target = *std::get<const Target*>(found);
  if (!target.running) {
    deliver_target(step, target, {TargetChange::removed, 0}, now_ns);
    targets.erase(target.key);
    return answer(step, command.token, "");
  }
  const bool under_way = releasing.contains(target.slot);
  Release& release = releasing[target.slot];
  release.stopped = true;
  release.tokens.push_back(command.token);
  if (under_way) return;
  step.plans.emplace_back(ReleasePlan{command.token, target.slot, return_slot(target)});
}

void Monitor::Impl::released(Step& step, const Released& done) {
  slots.give_back(done.slot);
  top_up_spares(step);
  const Target* outer = done.return_to ? running_in_slot(*done.return_to) : nullptr;
  const std::uint32_t heir = outer == nullptr ? 0 : outer->key;
  slots.set_heir(done.slot, heir);
  auto node = releasing.extract(done.slot);
  if (!node.empty() && node.mapped().stopped) {
    if (Target* target = running_in_slot(done.slot)) {
      report_adopted(step, target->key, done.boot_ns);
      const bool was_the_bus = target->on_bus && !asked_on_bus.contains(target->id);
      const std::set<ProcessId> living = was_the_bus ? living_of(target->key) : std::set<ProcessId>();
      const std::shared_ptr<const TargetWish> wish = target->wish;
      hand_over(*target, heir);
      watches.erase(target->key);
      drop_promises(step, target->key);
      deliver_target(step, *target, {TargetChange::removed, 0}, done.boot_ns);
      targets.erase(target->key);
      if (was_the_bus) begin_meant(step, living, wish.get());
    }
    for (const Token token : node.mapped().tokens) answer(step, token, "");
    check_exited(step, heir, done.boot_ns);
    if (heir == 0) readopt_units(step);
  }
  begin_waiting_wishes(step);
  settle_taking_in(step, done.slot);
  settle_idle(done.boot_ns);
}

// Of these the configuration may mean some, whom the bus had first.
std::set<ProcessId> Monitor::Impl::living_of(std::uint32_t key) const {
  std::set<ProcessId> out;
  for (const Process* process : lineage.all())
    if (process->alive() && process->watched && process->target == key) out.insert(process->id);
  return out;
}

// Its processes, and the targets nested in it, go to the heir, or to nobody. Whoever is let go stays in lineage as it
// is known; its end will not be seen any more.
void Monitor::Impl::hand_over(const Target& from, std::uint32_t heir) {
  lineage.for_each([&](Process& process) {
    if (process.target != from.key) return;
    if (process.alive()) {
      move_to(process, heir);
    } else {
      process.target = heir;
    }
  });
  for (auto& [key, target] : targets) {
    if (target.outer == from.key) target.outer = heir;
  }
}

std::variant<const Target*, Refusal> Monitor::Impl::resolve(std::string_view text) const {
  const std::optional<std::uint32_t> pid = as_pid(text);
  std::vector<const Target*> live;
  std::vector<const Target*> past;
  for (const auto& [key, target] : targets) {
    if (target.id == text) return &target;
    const bool named = pid ? target.root && target.root.pid == *pid : target.name == text;
    if (named) (target.running ? live : past).push_back(&target);
  }
  const std::vector<const Target*>& candidates = live.empty() ? past : live;
  if (candidates.size() == 1) return candidates.front();
  if (candidates.size() > 1) return ambiguous(text, candidates);
  const std::string what = pid ? "no target has the root pid " : "no target has the id or name ";
  return Refusal{Fault::no_such_target, what + "\"" + std::string(text) + "\"; ListTargets shows those there are"};
}

}  // namespace aa
