#include "config/runtime_state.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "state/rules_text.h"
#include "state/targets.h"

namespace aa {
namespace {

using Json = nlohmann::json;

bool lives_in(const Process* process, const Target& target) {
  return process != nullptr && process->alive() && process->watched && process->target == target.key;
}

void add_roots(const Monitor& monitor, const Target& target, const Json& common, Json& targets) {
  for (const Process* process : monitor.tree(target)) {
    if (!lives_in(process, target) || lives_in(monitor.lineage().get(process->parent), target)) continue;
    Json one = common;
    one["pid"] = process->id.pid;
    one["start_ns"] = process->id.start_ns;
    targets.push_back(std::move(one));
  }
}

template <class Start>
Start started(const Json& kept) {
  Start command;
  command.name = kept.at("name").get<std::string>();
  command.tls = parse_tls_level(kept.at("tls").get<std::string>()).value_or(TlsLevel::redacted);
  command.owner_uid = kept.at("owner_uid").get<std::uint32_t>();
  command.source = TargetSource::dbus;
  return command;
}

Command command_of(const Json& kept) {
  if (kept.contains("unit")) {
    auto unit = started<StartMonitoringUnit>(kept);
    unit.unit = kept.at("unit").get<std::string>();
    unit.cgroup = kept.at("cgroup").get<std::string>();
    return unit;
  }
  auto process = started<StartMonitoring>(kept);
  process.pid = kept.at("pid").get<std::uint32_t>();
  process.root = {process.pid, kept.at("start_ns").get<std::uint64_t>()};
  return process;
}

// JSON is text, a pattern need not be: then it is a list of its bytes.
Json kept(const std::string& pattern) {
  if (to_utf8(pattern) == pattern) return pattern;
  return std::vector<unsigned char>(pattern.begin(), pattern.end());
}

std::string pattern_of(const Json& kept) {
  if (kept.is_string()) return kept.get<std::string>();
  const auto bytes = kept.get<std::vector<unsigned char>>();
  return {bytes.begin(), bytes.end()};
}

// Not as lines of a rules file: a pattern or a name may hold what ends a word or a line there.
Json kept(const PathRule& rule) {
  return {{"pattern", kept(rule.pattern)}, {"verdict", std::string(name_of(rule.verdict))},
          {"ops", op_names(rule.ops)},     {"severity", rule.severity ? std::string(name_of(*rule.severity)) : ""},
          {"target", rule.target},         {"category", rule.category}};
}

PathRule rule_of(const Json& kept) {
  PathRule rule;
  rule.pattern = pattern_of(kept.at("pattern"));
  rule.verdict = parse_verdict(kept.at("verdict").get<std::string>()).value_or(Verdict::deny);
  const auto ops = parse_ops(kept.at("ops").get<std::vector<std::string>>());
  if (const auto* some = std::get_if<OpSet>(&ops); some != nullptr && *some != 0) rule.ops = *some;
  rule.severity = parse_severity(kept.at("severity").get<std::string>());
  rule.target = kept.at("target").get<std::string>();
  rule.category = kept.at("category").get<std::string>();
  return rule;
}

}  // namespace

std::string runtime_state(const Monitor& monitor, std::string_view boot_id) {
  Json state = {{"boot_id", std::string(boot_id)},
                {"targets", Json::array()},
                {"rules", Json::array()},
                {"promises", Json::array()}};
  for (const Target* target : monitor.targets()) {
    if (!target->running || !target->on_bus) continue;
    Json common = {
        {"name", target->name}, {"tls", std::string(name_of(target->tls))}, {"owner_uid", target->owner_uid}};
    if (target->unit.empty()) {
      add_roots(monitor, *target, common, state["targets"]);
    } else {
      common.update({{"unit", target->unit}, {"cgroup", target->cgroup}});
      state["targets"].push_back(std::move(common));
    }
  }
  for (const PathRule& rule : monitor.path_rules().rules())
    if (rule.layer == RuleLayer::runtime) state["rules"].push_back(kept(rule));
  for (const auto& [root, rules] : monitor.promises()) {
    Json lines = Json::array();
    for (const PathRule& rule : rules) lines.push_back(kept(rule));
    state["promises"].push_back({{"pid", root.pid}, {"start_ns", root.start_ns}, {"rules", std::move(lines)}});
  }
  return state.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::vector<Command>> restore_runtime_state(std::string_view text, std::string_view boot_id) try {
  const Json state = Json::parse(text);
  std::vector<Command> commands;
  if (state.at("boot_id").get<std::string>() != boot_id) return commands;
  SetPathRules set;
  for (const Json& kept : state.at("rules")) set.rules.push_back(rule_of(kept));
  if (!set.rules.empty()) commands.emplace_back(std::move(set));
  for (const Json& kept : state.at("promises")) {
    KeepPromises keep;
    keep.root = {kept.at("pid").get<std::uint32_t>(), kept.at("start_ns").get<std::uint64_t>()};
    for (const Json& rule : kept.at("rules")) keep.rules.push_back(rule_of(rule));
    commands.emplace_back(std::move(keep));
  }
  for (const Json& kept : state.at("targets")) commands.push_back(command_of(kept));
  return commands;
} catch (const Json::exception&) {
  return Error{"take back what was kept: the file does not hold what it should", 0, ""};
}

}  // namespace aa
