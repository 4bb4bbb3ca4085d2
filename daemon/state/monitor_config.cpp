// state/monitor_config.cpp: the configuration taken in, at the start and at each reload.
//
// Comes in: all it says. Goes out: plans for what differs from before; whoever is watched already is not disturbed.
// Path rules first: only when they are in force the rest is applied, so that a refusal leaves everything as it was.
#include <algorithm>

#include "state/discovery.h"
#include "state/monitor_impl.h"

namespace aa {
namespace {

using By = TargetWish::By;

bool holds(const std::vector<TargetWish>& wishes, const TargetWish& wish) {
  return std::find(wishes.begin(), wishes.end(), wish) != wishes.end();
}

// Whoever fits is found by what it runs, or whose it is.
bool is_sought(const TargetWish& wish) {
  return wish.by == By::exe || wish.by == By::user;
}

}  // namespace

void Monitor::Impl::configure(Step& step, Configure command) {
  if (configuring) {
    const Refusal busy{Fault::failed, "the configuration before this one is still being taken in; try again"};
    return answer(step, command.token, busy);
  }
  auto judged = table_for(command.policy.detect_change);
  if (const auto* refusal = std::get_if<Refusal>(&judged)) return answer(step, command.token, *refusal);
  Table table = std::get<Table>(std::move(judged));
  std::vector<PathRule> before;
  for (const PathRule& rule : wanted_rules)
    if (rule.layer == RuleLayer::file) before.push_back(rule);
  for (PathRule& rule : command.rules) rule.layer = RuleLayer::file;
  if (!sees_files() || before == command.rules) return apply_configuration(step, std::move(command), std::move(table));
  const auto put = put_rules(step, 0, RuleLayer::file, command.rules);
  if (const auto* refusal = std::get_if<Refusal>(&put)) return answer(step, command.token, *refusal);
  configuring = Configuring{std::move(command), std::get<std::uint64_t>(put), std::move(table)};
}

void Monitor::Impl::settle_configure(Step& step, const RulesInForce& done) {
  if (!configuring || configuring->generation != done.generation) return;
  Configuring next = std::move(*configuring);
  configuring.reset();
  if (done.refusal) return answer(step, next.command.token, *done.refusal);
  apply_configuration(step, std::move(next.command), std::move(next.table));
}

void Monitor::Impl::apply_configuration(Step& step, Configure command, Table table) {
  use_table(std::move(table));
  settings.policy = std::move(command.policy);
  lineage.set_limits(lineage_limits());
  const std::vector<TargetWish> before = std::exchange(wishes, std::move(command.targets));
  for (const TargetWish& wish : before)
    if (!holds(wishes, wish)) drop_wish(step, wish);
  look_for(step);
  bool seek = false;
  for (const TargetWish& wish : wishes) {
    if (holds(before, wish)) continue;
    if (is_sought(wish))
      seek = true;
    else
      begin_wish(step, wish);
  }
  if (seek) step.plans.emplace_back(LookAroundPlan{});
  answer(step, command.token, "");
}

void Monitor::Impl::drop_wish(Step& step, const TargetWish& wish) {
  std::vector<std::string> ids;
  for (const auto& [key, target] : targets)
    if (target.running && target.wish && *target.wish == wish) ids.push_back(target.id);
  for (const std::string& id : ids) stop(step, {0, id});
}

void Monitor::Impl::begin_wish(Step& step, const TargetWish& wish) {
  if (wish.by == By::unit) return step.plans.emplace_back(FindUnitPlan{wish.what}), void();
  std::optional<std::uint32_t> slot;
  if (wish.by == By::pid) {
    StartMonitoring command;
    command.pid = wish.number;
    command.name = wish.name;
    command.tls = wish.tls;
    command.source = TargetSource::config;
    slot = start(step, std::move(command));
  } else {
    StartMonitoringUnit command;
    command.unit = command.cgroup = wish.what;
    command.name = wish.name;
    command.tls = wish.tls;
    command.source = TargetSource::config;
    slot = start_unit(step, std::move(command));
  }
  if (slot)
    enrolling.at(*slot).wish = std::make_shared<const TargetWish>(wish);
  else
    not_watched(step, wish, {Fault::limit_reached, "all target slots are in use"});
}

// The kernel is told what is new, and rows are made ready first.
void Monitor::Impl::look_for(Step& step) {
  LookForPlan plan{settings.policy.agents, {}};
  for (const TargetWish& wish : wishes) {
    if (wish.by == By::exe) plan.names.push_back(wish.what);
    if (wish.by == By::user) plan.users.push_back(wish.number);
  }
  if (plan.names == looked_for.names && plan.users == looked_for.users) return;
  looked_for = plan;
  top_up_spares(step);
  step.plans.emplace_back(std::move(plan));
}

bool Monitor::Impl::is_wished(const TargetWish& wish) const {
  return holds(wishes, wish);
}

const TargetWish* Monitor::Impl::wish_of(const ProcessRef& process, const ExecBody& exec) const {
  const auto fits = [&](const TargetWish& wish) {
    if (wish.by == By::user) return process.uid == wish.number;
    return wish.by == By::exe && agent_of({wish.what}, process, exec).has_value();
  };
  const auto found = std::find_if(wishes.begin(), wishes.end(), fits);
  return found == wishes.end() ? nullptr : &*found;
}

std::string name_of_wish(const TargetWish& wish, const ProcessRef& process, const ExecBody& exec) {
  if (!wish.name.empty()) return wish.name;
  return wish.by == By::user ? wish.what : agent_of({wish.what}, process, exec).value_or(wish.what);
}

// Of a tree the outermost that fits is the root.
void Monitor::Impl::looked_around(Step& step, const LookedAround& done) {
  std::map<ProcessId, const LivingProcess*> known;
  for (const LivingProcess& process : done.processes) known.emplace(process.id, &process);
  std::set<ProcessId> roots;
  const auto below_root = [&](ProcessId id) {
    for (auto at = known.find(id); at != known.end(); at = known.find(at->second->parent))
      if (roots.contains(at->first)) return true;
    return false;
  };
  std::vector<const LivingProcess*> oldest_first;
  oldest_first.reserve(known.size());
  for (const auto& [id, process] : known) oldest_first.push_back(process);
  std::stable_sort(oldest_first.begin(), oldest_first.end(),
                   [](const auto* a, const auto* b) { return a->id.start_ns < b->id.start_ns; });
  for (const LivingProcess* process : oldest_first) {
    if (process->watched || below_root(process->id)) continue;
    ProcessRef ref;
    ref.id = process->id;
    ref.uid = process->uid;
    ref.exe = process->exe;
    ExecBody exec;
    exec.filename = process->exe;
    exec.argv = process->argv;
    const TargetWish* wish = wish_of(ref, exec);
    if (wish == nullptr) continue;
    roots.insert(process->id);
    StartMonitoring command;
    command.pid = process->id.pid;
    command.root = process->id;
    command.tls = wish->tls;
    command.owner_uid = process->uid;
    command.source = TargetSource::config;
    const std::string name = name_of_wish(*wish, ref, exec);
    if (!check_target_name(name)) command.name = name;
    const auto slot = start(step, std::move(command));
    if (!slot) return not_watched(step, *wish, {Fault::limit_reached, "all target slots are in use"});
    enrolling.at(*slot).wish = std::make_shared<const TargetWish>(*wish);
  }
}

void Monitor::Impl::unit_found(Step& step, const UnitFound& done) {
  const auto wish = std::find_if(wishes.begin(), wishes.end(),
                                 [&](const TargetWish& one) { return one.by == By::unit && one.what == done.unit; });
  if (wish == wishes.end()) return;
  if (done.refusal) return not_watched(step, *wish, *done.refusal);
  StartMonitoringUnit command;
  command.unit = done.id;
  command.cgroup = done.cgroup;
  command.name = wish->name;
  command.tls = wish->tls;
  command.source = TargetSource::config;
  if (const auto slot = start_unit(step, std::move(command)))
    enrolling.at(*slot).wish = std::make_shared<const TargetWish>(*wish);
  else
    not_watched(step, *wish, {Fault::limit_reached, "all target slots are in use"});
}

void Monitor::Impl::not_watched(Step& step, const TargetWish& wish, const Refusal& refusal) {
  AlertBody alert;
  alert.kind = "target-not-watched";
  alert.rule = std::string(name_of(wish.by)) + " " + wish.what;
  alert.summary = "the configuration wants the " + alert.rule + " watched, and it is not: " + refusal.sentence;
  Event event;
  event.boot_ns = now_ns;
  event.body = std::move(alert);
  deliver(step, std::move(event), nullptr);
}

}  // namespace aa
