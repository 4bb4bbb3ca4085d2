// state/monitor_files.cpp: path rules put in force, and what a file operation is worth by them.
//
// Comes in: rule sets, file records that name the generation the kernel had. Goes out: judged events, alerts with
// ancestry, plans that bring a set or a newly found secret to the kernel. A record is judged by exactly the set it
// names.
#include <fcntl.h>
#include <linux/fs.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "event/redact.h"
#include "state/detect_table.h"
#include "state/monitor_impl.h"

namespace aa {
namespace {

constexpr std::size_t kMostPathAlerts = 65'536;

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

std::string as_absolute(const std::string& path) {
  return path.empty() || path.front() == '/' ? path : "/" + path;
}

// The process's own root, from the namespace's; "" where they are the same.
std::string root_of(const FilePath& at) {
  if (at.path == "/") return at.ns_path;
  return at.ns_path.ends_with(at.path) ? at.ns_path.substr(0, at.ns_path.size() - at.path.size()) : "";
}

// As text: what was asked for, from the namespace's root. No ".." leads out of the process's own.
std::string asked_path(const FileBody& file, const FilePath& at) {
  const bool is_text = file.resolution == Resolution::user || (file.resolution == Resolution::unresolved &&
                                                               at.whole() && at.requested.empty());  // it is the path
  const std::string& asked = is_text ? at.path : at.requested;
  if (file.op == FileOp::symlink && &at == &file.at && file.to && !asked.starts_with('/'))
    return folder_of(file.to->from_namespace()) + "/" + asked;
  const std::string root = asked.starts_with('/') ? root_of(at) : "";
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

Judgement Monitor::Impl::judge(Event& event, const SlotTable::Owner* owner) const {
  auto& file = std::get<FileBody>(event.body);
  if (file.generation == 0) return {};
  const auto found = rule_sets.find(file.generation);
  const bool outlasted = found == rule_sets.end();  // it began under rules that are no more: by those in force then
  if (outlasted) file.generation = rules_in_force->generation();
  const RuleSet& set = outlasted ? rules_in_force : found->second;
  const std::vector<PathQuery::Whose> whose = targets_of(owner);
  Judgement worst;
  bool unfinished = false;
  std::vector<std::uint32_t> objects = outlasted ? std::vector<std::uint32_t>() : file.objects;
  if (const std::uint32_t known = learned.object_of(file, event.boot_ns)) objects.push_back(known);
  const auto judge_one = [&](const FilePath& at, PathQuery query) {
    query.op = file.op;
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
    const Judgement one = set->judge(query);
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
  if (worst.rule == nullptr) return worst;
  file.verdict = worst.verdict;
  file.rule = worst.rule->pattern;
  file.sensitive = worst.verdict == Verdict::deny;
  return worst;
}

// Where it is now the kernel meets the folder that a rule names, as before.
bool Monitor::Impl::stays_below(const FileBody& file, std::uint32_t object) const {
  const auto set = rule_sets.find(file.generation);
  if (set == rule_sets.end() || object == 0 || !file.to) return false;
  const PathRules::Object& rule = set->second->objects()[object - 1];
  return rule.kind == PathRules::Object::Kind::directory && file.to->whole() &&
         file.to->from_namespace().starts_with(rule.path + "/");
}

// What the kernel does not know of by itself: the file that a glob means, by a folder what leaves that.
void Monitor::Impl::learn(Step& step, const Event& event, const Judgement& judgement, bool met) {
  const auto& file = std::get<FileBody>(event.body);
  const bool gives_name = file.op == FileOp::rename || file.op == FileOp::link;
  if (gives_name && file.result != 0 && file.result != -EINPROGRESS) return;
  if (gives_name && file.ino != 0 && stays_below(file, judgement.object)) return;
  const bool resolved = file.resolution == Resolution::kernel;
  if ((judgement.asked_only || judgement.by_mount) && resolved) return;
  const bool known = met && !gives_name;
  if (!known && file.ino != 0 && learned.learn(file, judgement.object))
    step.plans.emplace_back(
        LearnPlan{file.generation, judgement.object, file.dev, file.ino, file.inode_generation, ""});
  // A name is all that was seen of it, or it may be a folder: what it is must be looked up.
  if (!gives_name || !file.to || (file.ino != 0 && file.op != FileOp::rename)) return;
  learn_name(step, event, *file.to, judgement.object);
  if ((file.flags.value_or(0) & RENAME_EXCHANGE) != 0) learn_name(step, event, file.at, judgement.object);
}

void Monitor::Impl::learn_name(Step& step, const Event& event, const FilePath& at, std::uint32_t object) {
  const std::uint64_t generation = std::get<FileBody>(event.body).generation;
  LearnPlan plan{generation, object, 0, 0, 0, at.from_namespace(), event.boot_ns};
  const auto& file = std::get<FileBody>(event.body);
  if (&at != &file.at) {  // the first one's, where the kernel showed it
    plan.ino = file.ino;
    plan.dev = file.dev;
  }
  step.plans.emplace_back(std::move(plan));
  learned.learn_name(at.from_namespace(), generation, object, event.boot_ns);
}

void Monitor::Impl::on_file(Step& step, Event event, const SlotTable::Owner* owner) {
  observe(step, event, key_of(owner));
  note_summed(event);
  const auto& file = std::get<FileBody>(event.body);
  if (file.op == FileOp::create) learned.forget_name(file.at.from_namespace());
  const Judgement judgement = judge(event, owner);
  const bool is_taken_away = file.op == FileOp::rename || file.op == FileOp::unlink;
  if (is_taken_away && file.result == 0) learned.forget_name(file.at.from_namespace());
  if (file.to && file.result == 0) learned.forget_name(file.to->from_namespace());
  if (judgement.unfinished && owner != nullptr) tell_unfinished(step, owner->key);
  if (judgement.verdict == Verdict::allow) {
    allowed_count += 1;
    return;
  }
  const bool denied = judgement.verdict == Verdict::deny;
  const bool told_each = denied || judgement.verdict == Verdict::watch;
  const bool met = std::find(file.objects.begin(), file.objects.end(), judgement.object) != file.objects.end();
  if (told_each && file.generation != 0) learn(step, event, judgement, met);
  redact_paths(event);
  deliver(step, std::move(event), owner);
  if (denied) alert_path(step, Event(step.events.back()), *judgement.rule, owner);
}

// Once for a process, a rule and a path: the operations themselves are all there as events.
void Monitor::Impl::alert_path(Step& step, const Event& event, const PathRule& rule, const SlotTable::Owner* owner) {
  const auto& file = std::get<FileBody>(event.body);
  const bool by_second = file.to && file.at.from_namespace().empty();
  const FilePath& at = by_second ? *file.to : file.at;
  const std::string& path = at.from_namespace().empty() ? at.requested : at.from_namespace();
  const std::string known_as = path.starts_with('/') ? lexically_normal(path) : path;
  if (path_alerts.size() >= kMostPathAlerts) path_alerts.clear();  // then some are told twice
  if (!path_alerts.emplace(event.process->id, rule.pattern, known_as).second) return;
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
  while (last != path_alerts.end() && std::get<0>(*last) == id) ++last;
  path_alerts.erase(first, last);
}

}  // namespace aa
