// state/monitor_imports.cpp: a target's own promises, as path rules for that target alone.
//
// Comes in: a target that starts, and what its files said at that moment. Goes out: a plan to read them; rules that
// last as long as the target; an alert for each file that is broken and each entry that is no rule. The target can
// write these files: they only ever add denials, within limits that nobody else's rules count against.
#include "state/monitor_impl.h"

namespace aa {
namespace {

constexpr std::size_t kMostOfTarget = 1'000;
constexpr std::size_t kMostOfAll = 10'000;
constexpr std::size_t kMostNotes = 100;

std::string shown_entry(std::string_view text) {
  constexpr std::size_t kShown = 200;
  return "\"" + std::string(text.substr(0, kShown)) + (text.size() > kShown ? "…\"" : "\"");
}

}  // namespace

void Monitor::Impl::begin_imports(Step& step, const Target& target, std::uint32_t uid, const std::string& cwd) {
  if (!target.wish || target.wish->imports.empty()) return;
  if (!sees_files())
    return tell_note(step, target,
                     {"import", true, 0, "", "nobody sees files here, so nobody sees whether it keeps that"});
  step.plans.emplace_back(ImportPlan{target.key, target.root, uid, cwd, target.wish->imports});
}

void Monitor::Impl::begin_imports(Step& step, const Target& target) {
  const Process* root = lineage.get(target.root);
  if (root != nullptr) begin_imports(step, target, root->uid, root->text == nullptr ? "" : root->text->cwd);
}

void Monitor::Impl::imported(Step& step, Imported done) {
  const Target* target = running(done.key);
  if (target == nullptr || promises.contains(done.key)) return;
  if (done.gone) return ask_another(step, *target, done.gone);
  add_promises_before(target->root, done.rules);
  std::size_t others = 0;
  for (const auto& [key, rules] : promises) others += rules.size();
  const std::size_t room = std::min(kMostOfTarget, kMostOfAll - std::min(kMostOfAll, others));
  if (done.rules.size() > room) {
    tell_note(step, *target,
              {"import", true, 0, "",
               "there is room for " + std::to_string(room) + " of its " + std::to_string(done.rules.size()) +
                   " entries; the last are left out"});
    done.rules.resize(room);
  }
  for (std::size_t at = 0; at < done.notes.size() && at < kMostNotes; ++at) tell_note(step, *target, done.notes[at]);
  if (done.notes.size() > kMostNotes)
    tell_note(step, *target,
              {"import", false, 0, "", std::to_string(done.notes.size() - kMostNotes) + " more entries are no rules"});
  for (PathRule& rule : done.rules) {
    rule.verdict = Verdict::deny;
    rule.category = "promise";
    rule.target = target->id;
    rule.layer = RuleLayer::imported;
  }
  drop_unusable(step, *target, done.rules);
  if (done.rules.empty()) return;
  promises[done.key] = std::move(done.rules);
  put_promises(step);
}

// The root may have ended at once and left the work to a child. Of a child nobody heard of yet the root's own end will
// tell; who has nobody has ended.
void Monitor::Impl::ask_another(Step& step, const Target& target, const ProcessId& gone) {
  constexpr std::size_t kMostAsked = 8;
  for (const Process* process : lineage.all()) {
    const bool is_one = process->alive() && process->watched && process->target == target.key && process->id != gone;
    if (!is_one) continue;
    if (++promises_asked[target.key] > kMostAsked)
      return tell_note(step, target, {"import", true, 0, "", "its processes end before its files can be read"});
    const Process* root = lineage.get(target.root);
    const Process* where = root != nullptr && root->text != nullptr ? root : process;
    const std::string cwd = where->text == nullptr ? "" : where->text->cwd;
    step.plans.emplace_back(ImportPlan{target.key, process->id, process->uid, cwd, target.wish->imports});
    return;
  }
  promises_waiting.insert(target.key);
}

// What it promised to the daemon before comes first: of what is too much the last is left out.
void Monitor::Impl::add_promises_before(const ProcessId& root, std::vector<PathRule>& rules) {
  auto node = promises_before.extract(root);
  if (node.empty()) return;
  std::vector<PathRule> all = std::move(node.mapped());
  const auto same = [](const PathRule& a, const PathRule& b) { return a.pattern == b.pattern && a.ops == b.ops; };
  for (PathRule& rule : rules)
    if (std::ranges::none_of(all, [&](const PathRule& one) { return same(one, rule); })) all.push_back(std::move(rule));
  rules = std::move(all);
}

std::map<ProcessId, std::vector<PathRule>> Monitor::promises() const {
  std::map<ProcessId, std::vector<PathRule>> out = impl_->promises_before;
  for (const auto& [key, rules] : impl_->promises)
    if (const Target* target = impl_->running(key)) out[target->root] = rules;
  return out;
}

// One that cannot be compiled must not cost the others, which may be another target's.
void Monitor::Impl::drop_unusable(Step& step, const Target& target, std::vector<PathRule>& rules) {
  std::erase_if(rules, [&](const PathRule& rule) {
    const auto compiled = PathRules::compile({rule}, settings.homes, 0);
    const auto* refusal = std::get_if<Refusal>(&compiled);
    if (refusal != nullptr) tell_note(step, target, {"import", false, 0, rule.pattern, refusal->sentence});
    return refusal != nullptr;
  });
}

void Monitor::Impl::tell_unfinished(Step& step, std::uint32_t key) {
  const Target* target = running(key);
  if (target == nullptr || !promises_unfinished.insert(key).second) return;
  tell_note(
      step, *target,
      {"import", true, 0, "",
       "to hold them against a path costs more than an import may; on such paths not all of them are kept watch over"});
}

void Monitor::Impl::drop_promises(Step& step, std::uint32_t key) {
  promises_unfinished.erase(key);
  promises_asked.erase(key);
  promises_waiting.erase(key);
  if (promises.erase(key) > 0) put_promises(step);
}

// One set at a time is on its way: a thousand starts at once are a few sets.
void Monitor::Impl::put_promises(Step& step) {
  promises_changed = promises_generation != 0;
  if (promises_changed) return;
  std::vector<PathRule> rules;
  for (const auto& [key, one] : promises) rules.insert(rules.end(), one.begin(), one.end());
  const auto put = put_rules(step, 0, RuleLayer::imported, std::move(rules));
  if (const auto* refusal = std::get_if<Refusal>(&put)) return promises_refused(step, refusal->sentence);
  promises_generation = std::get<std::uint64_t>(put);
}

void Monitor::Impl::settle_promises(Step& step, const RulesInForce& done) {
  if (promises_generation == 0 || done.generation < promises_generation) return;
  const bool refused = done.refusal && done.generation == promises_generation;
  promises_generation = 0;
  if (refused) promises_refused(step, done.refusal->sentence);
  if (promises_changed) put_promises(step);
}

void Monitor::Impl::promises_refused(Step& step, const std::string& why) {
  for (const auto& [key, rules] : std::exchange(promises, {}))
    if (const Target* target = running(key)) tell_note(step, *target, {"import", true, 0, "", why});
}

void Monitor::Impl::tell_note(Step& step, const Target& target, const ImportNote& note) {
  AlertBody alert;
  alert.kind = note.broken ? "import-broken" : "import-skipped";
  alert.severity = note.broken ? Severity::warning : Severity::info;
  alert.rule = note.import;
  const std::string where = note.line == 0 ? "" : ", line " + std::to_string(note.line);
  alert.summary = "of what " + target.name + " promised (" + note.import + where + ")" +
                  (note.entry.empty() ? ": " : ", the entry " + shown_entry(note.entry) + " is no rule: ") +
                  note.sentence;
  Event event;
  event.boot_ns = now_ns;
  event.slot = target.slot;
  event.body = std::move(alert);
  const SlotTable::Owner owner{target.slot, target.key, {target.id, target.name}, 0};
  deliver(step, std::move(event), &owner);
}

}  // namespace aa
