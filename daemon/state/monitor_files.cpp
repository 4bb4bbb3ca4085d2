// state/monitor_files.cpp: path rules put in force, and what a file operation is worth by them.
//
// Comes in: rule sets, file records that name the generation the kernel had. Goes out: judged events, alerts with
// ancestry, plans that bring a set or a newly found secret to the kernel. A record is judged by exactly the set it
// names.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "event/redact.h"
#include "state/detect_table.h"
#include "state/monitor_impl.h"

namespace aa {
namespace {

constexpr std::size_t kMostPathAlerts = 65'536, kMostPathAlertBytes = 16u << 20;

std::string_view doing(FileOp op) {
  switch (op) {
    case FileOp::open:
      return "opened";
    case FileOp::read:
      return "read";
    case FileOp::write:
      return "wrote to";
    case FileOp::create:
      return "created";
    case FileOp::unlink:
    case FileOp::rmdir:
      return "removed";
    case FileOp::mkdir:
    case FileOp::mknod:
      return "made";
    case FileOp::rename:
      return "renamed";
    case FileOp::link:
    case FileOp::symlink:
      return "linked";
    case FileOp::truncate:
      return "truncated";
    case FileOp::chmod:
      return "changed the mode of";
    case FileOp::chown:
      return "changed the owner of";
    case FileOp::mmap:
    case FileOp::mprotect:
      return "mapped";
  }
  return "touched";
}

std::string summary_of(const Event& event, const FileBody& file, const std::string& path, const PathRule& rule) {
  const std::string who = event.process->comm + " (pid " + std::to_string(event.process->id.pid) + ") ";
  const bool failed = file.result < 0 && file.result != -EINPROGRESS;  // that one was told before it ended
  const std::string what = failed ? "tried to touch " + path + " (" + std::string(name_of(file.op)) +
                                        " failed: " + std::strerror(static_cast<int>(-file.result)) + ")"
                                  : std::string(doing(file.op)) + " " + path;
  return who + what + ", denied by the rule " + rule.pattern +
         (rule.category.empty() ? "" : " (" + rule.category + ")");
}

// Ways out of the tree that a file shows: what the system will run later, and another process's memory.
bool is_way_out(const PathRule& rule, const std::string& path) {
  return rule.category == "persistence" || (rule.category == "process-memory" && path.ends_with("/mem"));
}

PathQuery query_of(std::span<const std::uint32_t> objects, const MountedPath& mounted) {
  const auto first = [&](std::size_t count) { return objects.first(std::min(count, objects.size())); };
  PathQuery query;
  query.objects = objects;
  query.mount_point = mounted.point;
  query.bound = mounted.bound;
  query.within = first(mounted.within);
  query.elsewhere = first(mounted.all).subspan(first(mounted.on_path).size());
  return query;
}

// And not by the first.
bool is_met_by_second(const FileBody& file, std::uint32_t object) {
  const auto second = file.objects.begin() + std::min<std::ptrdiff_t>(file.mounted.all, std::ssize(file.objects));
  return std::find(file.objects.begin(), second, object) == second &&
         std::find(second, file.objects.end(), object) != file.objects.end();
}

std::string as_absolute(const std::string& path) {
  return path.empty() || path.front() == '/' ? path : "/" + path;
}

// As text: what was asked for, from the namespace's root. No ".." leads out of the process's own.
std::string asked_path(const FileBody& file, const FilePath& at) {
  const bool is_text = file.resolution == Resolution::user || (file.resolution == Resolution::unresolved &&
                                                               at.whole() && at.requested.empty());  // it is the path
  const std::string& asked = is_text ? at.path : at.requested;
  if (file.op == FileOp::symlink && &at == &file.at && file.to && !asked.starts_with('/'))
    return folder_of(file.to->from_namespace()) + "/" + asked;
  const std::string root = asked.starts_with('/') ? at.root() : "";
  return root.empty() ? asked : root + lexically_normal(asked);
}

}  // namespace

bool Monitor::Impl::sees(std::string_view family) const {
  return std::any_of(probes.begin(), probes.end(), [&](const ProbeBody& probe) {
    return probe.family == family && (probe.state == ProbeState::attached || probe.state == ProbeState::standby);
  });
}

bool Monitor::Impl::sees_files() const {
  return sees("file");
}

void Monitor::Impl::set_rules(Step& step, SetPathRules command) {
  if (!sees_files())
    return answer(step, command.token,
                  Refusal{Fault::not_supported,
                          "no program that sees file operations runs on this kernel, so nothing was stored; "
                          "aactl status says why"});
  const auto put = put_rules(step, command.token, command.layer, std::move(command.rules));
  if (const auto* refusal = std::get_if<Refusal>(&put)) answer(step, command.token, *refusal);
}

std::variant<std::uint64_t, Refusal> Monitor::Impl::put_rules(Step& step, Token token, RuleLayer layer,
                                                              std::vector<PathRule> wanted) {
  for (PathRule& rule : wanted) rule.layer = layer;
  for (const PathRule& rule : wanted_rules)
    if (rule.layer != layer) wanted.push_back(rule);
  auto compiled = PathRules::compile(wanted, settings.homes, last_generation + 1);
  if (auto* refusal = std::get_if<Refusal>(&compiled)) return std::move(*refusal);
  wanted_rules = std::move(wanted);
  auto set = std::get<RuleSet>(std::move(compiled));
  last_generation = set->generation();
  rule_sets[last_generation] = set;
  step.plans.emplace_back(RulesPlan{token, std::move(set)});
  return last_generation;
}

// Every record judged by an older set than the one before has been read: completions come after them.
void Monitor::Impl::rules_done(Step& step, const RulesInForce& done) {
  const auto found = rule_sets.find(done.generation);
  if (found == rule_sets.end()) return;
  if (done.refusal) {
    if (done.generation == last_generation) {
      wanted_rules = rules_in_force->rules();
      last_generation = rules_in_force->generation();  // the next set follows the one in force
    }
    rule_sets.erase(found);
    settle_configure(step, done);
    settle_promises(step, done);
    return answer(step, done.token, *done.refusal);
  }
  const std::uint64_t before = rules_in_force->generation();
  rules_in_force = found->second;
  std::erase_if(rule_sets, [&](const auto& entry) { return entry.first < before && !is_summed(entry.first); });
  settle_configure(step, done);
  settle_promises(step, done);
  answer(step, done.token, std::to_string(done.generation));
}

// Whoever is watched again below a target still keeps that target's rules.
std::vector<PathQuery::Whose> Monitor::Impl::targets_of(const SlotTable::Owner* owner) const {
  std::vector<PathQuery::Whose> out;
  if (owner == nullptr) return out;
  out.push_back({owner->ref.id, owner->ref.name});
  const auto outer_of = [this](std::uint32_t key) {
    const auto known = targets.find(key);
    return known == targets.end() ? targets.end() : targets.find(known->second.outer);
  };
  for (auto at = outer_of(owner->key); at != targets.end(); at = outer_of(at->first))
    out.push_back({at->second.id, at->second.name});
  return out;
}

// By the worst of its names. `any_op`: of what rules say of any operation and target.
Judgement Monitor::Impl::worst_of(const FileBody& file, const PathRules& set, std::span<const std::uint32_t> objects,
                                  std::span<const PathQuery::Whose> whose, bool any_op) const {
  Judgement worst;
  bool unfinished = false;
  const auto judge_one = [&](const FilePath& at, PathQuery query) {
    query.op = file.op;
    query.any_op = any_op;
    if (file.op == FileOp::open && (file.flags.value_or(0) & O_TRUNC) != 0) query.also = op_bit(FileOp::truncate);
    const bool resolved = file.resolution == Resolution::kernel && at.whole();
    if (resolved) query.path = at.from_namespace();
    const std::string asked = asked_path(file, at);
    // From a place that is not in the tree, or as a name below an unknown folder: it can deny, as any text can.
    const std::string rooted = at.detached ? as_absolute(at.from_namespace()) : "";
    const bool in_no_tree = at.detached && at.inner.empty();
    query.inner = in_no_tree ? rooted : at.inner;
    if (!in_no_tree && !asked.empty() && asked.front() == '/') query.requested = asked;
    if (!in_no_tree && !asked.empty() && asked.front() != '/') query.relative = asked;
    if (at.too_long) query.tail = at.from_namespace();
    query.targets = whose;
    const Judgement one = set.judge(query);
    unfinished = unfinished || one.unfinished;
    const auto is_worst = [&](Verdict verdict) {
      return one.verdict == verdict && (worst.verdict != verdict || (worst.asked_only && !one.asked_only));
    };
    if (is_worst(Verdict::deny) || (is_worst(Verdict::watch) && worst.verdict != Verdict::deny)) worst = one;
    return one;
  };
  const Judgement first = judge_one(file.at, query_of(objects, file.mounted));
  // A second name can only add to it: what one end allows, the other may not.
  const bool other = file.to && judge_one(*file.to, {}).verdict != Verdict::allow;
  if (worst.verdict == Verdict::none && first.verdict == Verdict::allow && !other) worst = first;
  worst.unfinished = unfinished;
  return worst;
}

// What is known of the file from now on. An operation that has not ended may fail yet: then its second name says
// nothing.
Judgement Monitor::Impl::lasting(const FileBody& file, const PathRules& set, std::span<const std::uint32_t> objects,
                                 std::span<const PathQuery::Whose> whose) const {
  if (file.result != -EINPROGRESS) return worst_of(file, set, objects, whose, true);
  FileBody first = file;
  first.to.reset();
  std::vector<std::uint32_t> of_first;
  for (const std::uint32_t object : objects)
    if (!is_met_by_second(file, object)) of_first.push_back(object);
  return worst_of(first, set, of_first, whose, true);
}

Monitor::Impl::Judged Monitor::Impl::judge(Event& event, const SlotTable::Owner* owner) const {
  auto& file = std::get<FileBody>(event.body);
  if (file.generation == 0) return {};
  const auto found = rule_sets.find(file.generation);
  const bool outlasted = found == rule_sets.end();  // it began under rules that are no more: by those in force then
  if (outlasted) file.generation = rules_in_force->generation();
  const PathRules& set = outlasted ? *rules_in_force : *found->second;
  const std::vector<PathQuery::Whose> whose = targets_of(owner);
  std::vector<std::uint32_t> objects = outlasted ? std::vector<std::uint32_t>() : file.objects;
  if (const std::uint32_t known = learned.object_of(file, event.boot_ns)) objects.push_back(known);
  Judged judged;
  judged.now = worst_of(file, set, objects, whose, false);
  judged.ever = gives_name(file) ? lasting(file, set, objects, whose) : judged.now;
  if (judged.now.rule == nullptr) return judged;
  file.verdict = judged.now.verdict;
  file.rule = judged.now.rule->pattern;
  file.sensitive = judged.now.verdict == Verdict::deny;
  return judged;
}

void Monitor::Impl::on_file(Step& step, Event event, const SlotTable::Owner* owner) {
  observe(step, event, key_of(owner));
  note_summed(event);
  const auto& file = std::get<FileBody>(event.body);
  if (file.op == FileOp::create && is_plain(file, file.at)) learned.forget_name(file.at.from_namespace());
  const auto [judgement, ever] = judge(event, owner);
  forget_names(file);
  if (file.op == FileOp::rename && file.result == 0) follow_folder(step, event);
  if ((judgement.unfinished || ever.unfinished) && owner != nullptr) tell_unfinished(step, owner->key);
  if (file.generation != 0 && (ever.verdict == Verdict::deny || ever.verdict == Verdict::watch))
    learn(step, event, ever);
  if (judgement.verdict == Verdict::allow) {
    allowed_count += 1;
    return;
  }
  redact_paths(event);
  deliver(step, std::move(event), owner);
  if (judgement.verdict == Verdict::deny) alert_path(step, Event(step.events.back()), *judgement.rule, owner);
}

// Once for a process, a rule and a path: the operations themselves are all there as events.
void Monitor::Impl::alert_path(Step& step, const Event& event, const PathRule& rule, const SlotTable::Owner* owner) {
  const auto& file = std::get<FileBody>(event.body);
  const bool by_second = file.to && file.at.from_namespace().empty();
  const FilePath& at = by_second ? *file.to : file.at;
  const std::string& path = at.from_namespace().empty() ? at.requested : at.from_namespace();
  const std::string known_as = path.starts_with('/') ? lexically_normal(path) : path;
  if (path_alerts.size() >= kMostPathAlerts || path_alert_bytes >= kMostPathAlertBytes) {
    path_alerts.clear();  // then some are told twice
    path_alert_bytes = 0;
  }
  if (!path_alerts.emplace(event.process->id, rule.pattern, known_as).second) return;
  path_alert_bytes += rule.pattern.size() + known_as.size();
  AlertBody alert;
  alert.kind = "sensitive-path";
  if (is_way_out(rule, path)) alert.detect_class = name_of(DetectClass::escape);
  alert.severity = rule.severity.value_or(Severity::warning);
  alert.rule = rule.pattern;
  alert.summary = summary_of(event, file, path, rule);
  alert.ancestry = ancestry_of(event.process->id);
  alert.cause_seq = event.seq;
  Event told;
  told.boot_ns = event.boot_ns;
  told.slot = event.slot;
  told.process = event.process;
  told.body = std::move(alert);
  deliver(step, std::move(told), owner);
}

void Monitor::Impl::forget_path_alerts(const ProcessId& id) {
  const auto first = path_alerts.lower_bound({id, "", ""});
  auto last = first;
  for (; last != path_alerts.end() && std::get<0>(*last) == id; ++last)
    path_alert_bytes -= std::get<1>(*last).size() + std::get<2>(*last).size();
  path_alerts.erase(first, last);
}

}  // namespace aa
