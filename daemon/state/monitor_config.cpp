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

std::vector<std::string> names_of(const TargetWish& wish) {
  if (wish.leads_to.empty()) return {wish.what};
  return {wish.what, wish.leads_to};
}

bool fits(const TargetWish& wish, const ProcessRef& process, const ExecBody& exec) {
  if (wish.by == By::user) return process.uid == wish.number;
  return wish.by == By::exe && agent_of(names_of(wish), process, exec).has_value();
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
  // A shorter interval does not begin when the longer one is over.
  const auto from_now = [&](std::chrono::nanoseconds time) {
    return now_ns + static_cast<std::uint64_t>(time.count());
  };
  reconcile_due_ns = std::min(reconcile_due_ns, from_now(settings.policy.reconcile_every));
  flip_due_ns = std::min(flip_due_ns, from_now(settings.policy.sums_every));
  expired_ns = 0;
  asked_on_bus.clear();
  if (taking_in) answer(step, taking_in->token, "");  // what it waited for is waited for again
  taking_in = TakingIn{command.token, 0, {}};
  const std::vector<TargetWish> before = std::exchange(wishes, std::move(command.targets));
  if (before != wishes) let_go_unwished(step, before);
  look_for(step);
  begin_wishes(step);
  settle_taking_in(step, {});
}

// Whom systemd is asked for is not waited for: it may be away for long.
void Monitor::Impl::settle_taking_in(Step& step, std::optional<std::uint32_t> slot) {
  if (!taking_in) return;
  if (slot) taking_in->slots.erase(*slot);
  if (taking_in->look > 0 || !taking_in->slots.empty() || wishes_wait) return;
  answer(step, taking_in->token, "");
  taking_in.reset();
}

bool Monitor::Impl::is_wished(const TargetWish& wish) const {
  return holds(wishes, wish);
}

// Whoever is another wish's now, or nobody's, is let go first: what follows finds everyone as a fresh start would.
void Monitor::Impl::let_go_unwished(Step& step, const std::vector<TargetWish>& before) {
  std::vector<std::string> ids;
  for (auto& [key, target] : targets) {
    if (!target.running || is_as_wished(target, before)) continue;
    if (target.on_bus && target.source == TargetSource::config && due_wish(target, before) == nullptr) {
      target.source = TargetSource::dbus;  // the bus's word still stands
      target.wish.reset();
      continue;
    }
    if (target.on_bus) asked_on_bus.insert(target.id);
    if (taking_in) taking_in->slots.insert(target.slot);
    ids.push_back(target.id);
  }
  for (const std::string& id : ids) stop(step, {0, id});
}

// Those that are new, that were let go of since, had no room or were not there.
void Monitor::Impl::begin_wishes(Step& step) {
  for (const TargetWish& wish : wishes)
    if (!is_sought(wish) && !is_held(wish) && !is_beginning(wish)) begin_wish(step, wish);
  seek(step, std::nullopt);
  if (taking_in) taking_in->look = looks.size();
}

// Room has been made, as much as there will be now.
void Monitor::Impl::begin_waiting_wishes(Step& step) {
  if (releasing.empty() && std::exchange(wishes_wait, false)) begin_wishes(step);
}

// Whom the bus lets go of the configuration may mean: the whole of it, or one of those in it.
void Monitor::Impl::begin_meant(Step& step, const std::set<ProcessId>& among, const TargetWish* whole) {
  const auto means_one = [&](const TargetWish& wish) {
    return wish.by == By::pid && std::ranges::any_of(among, [&](const ProcessId& id) { return id.pid == wish.number; });
  };
  for (const TargetWish& wish : wishes) {
    if (is_sought(wish) || is_held(wish) || is_beginning(wish)) continue;
    if (means_one(wish) || (whole != nullptr && *whole == wish)) begin_wish(step, wish);
  }
  seek(step, among);
}

bool Monitor::Impl::is_beginning(const TargetWish& wish) const {
  return std::ranges::any_of(enrolling,
                             [&](const auto& entry) { return entry.second.wish && *entry.second.wish == wish; });
}

// Of these processes alone, or of all that live.
void Monitor::Impl::seek(Step& step, std::optional<std::set<ProcessId>> among) {
  if (std::none_of(wishes.begin(), wishes.end(), is_sought)) return;
  looks.push_back(std::move(among));
  step.plans.emplace_back(LookAroundPlan{});
}

// False: a fresh start would not watch it, or watch it otherwise. What the bus asked for is not the configuration's,
// and who was discovered stays so until somebody wishes for it.
bool Monitor::Impl::is_as_wished(const Target& target, const std::vector<TargetWish>& before) const {
  if (target.source == TargetSource::dbus) return true;
  const TargetWish* due = due_wish(target, before);
  if (target.source == TargetSource::discovered) return due == nullptr;
  return due != nullptr && *due == *target.wish;
}

bool Monitor::Impl::is_held(const TargetWish& wish) const {
  return std::ranges::any_of(targets, [&](const auto& entry) {
    const Target& target = entry.second;
    return target.running && target.wish && *target.wish == wish && !releasing.contains(target.slot);
  });
}

// A pid names its process and all below it, when it is new or was taken in: one that was refused or let go of disturbs
// nobody. A unit or a control group holds all others in it, as it does who starts there later. Else the first that
// fits, its own even if the root runs something else by now.
const TargetWish* Monitor::Impl::due_wish(const Target& target, const std::vector<TargetWish>& before) const {
  const auto same = [&](const TargetWish& wish) { return target.wish && wish == *target.wish; };
  const auto first = [&](const auto& fits) -> const TargetWish* {
    const auto found = std::find_if(wishes.begin(), wishes.end(), fits);
    return found == wishes.end() ? nullptr : &*found;
  };
  const Process* root = lineage.get(target.root);
  if (root == nullptr || !root->alive()) return first(same);
  for (const Process* process : lineage.ancestry(root->id))
    if (const TargetWish* wish = first([&](const TargetWish& one) {
          const bool names = one.by == By::pid && process->alive() && one.number == process->id.pid;
          return names && (!holds(before, one) || is_held(one));
        }))
      return process == root ? wish : nullptr;
  if (in_wished_group(*root)) return nullptr;
  ProcessRef ref;
  ref.uid = root->uid;
  ExecBody exec;
  if (root->text != nullptr) {
    ref.exe = exec.filename = root->text->exe;
    exec.argv = root->text->argv;
  }
  return first([&](const TargetWish& one) { return same(one) || fits(one, ref, exec); });
}

bool Monitor::Impl::in_wished_group(const Process& process) const {
  if (process.cgroup == nullptr) return false;
  return std::any_of(targets.begin(), targets.end(), [&](const auto& entry) {
    const Target& target = entry.second;
    return target.running && !target.unit.empty() && target.wish && is_wished(*target.wish) &&
           !releasing.contains(target.slot) && (*process.cgroup + "/").starts_with(target.cgroup + "/");
  });
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
  if (!slot) return no_room(step, wish);
  enrolling.at(*slot).wish = std::make_shared<const TargetWish>(wish);
  if (taking_in) taking_in->slots.insert(*slot);
}

void Monitor::Impl::no_room(Step& step, const TargetWish& wish) {
  if (!releasing.empty())
    wishes_wait = true;
  else
    not_watched(step, wish, {Fault::limit_reached, "all target slots are in use"});
}

// The kernel is told what is new, and rows are made ready first.
void Monitor::Impl::look_for(Step& step) {
  LookForPlan plan{settings.policy.agents, {}};
  for (const TargetWish& wish : wishes) {
    if (wish.by == By::exe)
      for (std::string& name : names_of(wish)) plan.names.push_back(std::move(name));
    if (wish.by == By::user) plan.users.push_back(wish.number);
  }
  if (plan.names == looked_for.names && plan.users == looked_for.users) return;
  looked_for = plan;
  top_up_spares(step);
  const bool nobody = plan.names.empty() && plan.users.empty();
  step.plans.emplace_back(std::move(plan));
  if (!nobody) return;
  for (const std::uint32_t slot : std::exchange(spares, {})) let_go(step, slot);  // room for others
}

const TargetWish* Monitor::Impl::wish_of(const ProcessRef& process, const ExecBody& exec) const {
  const auto found =
      std::find_if(wishes.begin(), wishes.end(), [&](const TargetWish& wish) { return fits(wish, process, exec); });
  return found == wishes.end() ? nullptr : &*found;
}

std::string name_of_wish(const TargetWish& wish, const ProcessRef& process, const ExecBody& exec) {
  if (!wish.name.empty()) return wish.name;
  return wish.by == By::user ? wish.what : agent_of(names_of(wish), process, exec).value_or(wish.what);
}

// Of a tree the outermost that fits is the root: a root that another is found above goes to that one.
void Monitor::Impl::looked_around(Step& step, const LookedAround& done) {
  if (looks.empty()) return;
  const std::optional<std::set<ProcessId>> among = std::move(looks.front());
  looks.pop_front();
  const bool is_awaited = taking_in && taking_in->look > 0 && --taking_in->look == 0;
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
  std::vector<std::pair<StartMonitoring, const TargetWish*>> starts;
  for (const LivingProcess* process : oldest_first) {
    const Target* target = process->watched ? running_in_slot(process->slot) : nullptr;
    if (target != nullptr && target->root == process->id && target->wish && is_sought(*target->wish) &&
        below_root(process->id))
      stop(step, {0, target->id});
    if (process->watched || below_root(process->id)) continue;
    if (among && !among->contains(process->id)) continue;
    if (auto found = wished(*process)) {
      roots.insert(process->id);
      starts.push_back(std::move(*found));
    }
  }
  for (auto& [command, wish] : starts) {
    const auto slot = start(step, std::move(command));
    if (!slot) {
      no_room(step, *wish);
      break;
    }
    enrolling.at(*slot).wish = std::make_shared<const TargetWish>(*wish);
    if (is_awaited) taking_in->slots.insert(*slot);
  }
  if (is_awaited) settle_taking_in(step, {});
}

// What is to be done about a process that runs already, and the wish it is for.
std::optional<std::pair<StartMonitoring, const TargetWish*>> Monitor::Impl::wished(const LivingProcess& process) const {
  ProcessRef ref;
  ref.id = process.id;
  ref.uid = process.uid;
  ref.exe = process.exe;
  ExecBody exec;
  exec.filename = process.filename.empty() ? process.exe : process.filename;
  exec.cwd = process.cwd;
  exec.argv = process.argv;
  const TargetWish* wish = wish_of(ref, exec);
  if (wish == nullptr) return std::nullopt;
  StartMonitoring command;
  command.pid = process.id.pid;
  command.root = process.id;
  command.tls = wish->tls;
  command.owner_uid = process.uid;
  command.source = TargetSource::config;
  const std::string name = name_of_wish(*wish, ref, exec);
  if (!check_target_name(name)) command.name = name;
  return std::pair(std::move(command), wish);
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
    no_room(step, *wish);
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
