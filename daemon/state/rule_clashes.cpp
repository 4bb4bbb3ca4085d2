#include "state/rule_clashes.h"

#include <set>
#include <tuple>

#include "state/glob.h"

namespace aa {
namespace {

std::string spelling_of(const std::string& pattern) {
  const auto glob = Glob::parse(pattern.starts_with('*') ? "/" + pattern : pattern);
  const auto* parsed = std::get_if<Glob>(&glob);
  return parsed == nullptr ? pattern : parsed->spelling();
}

// What a rule is about: the same of two rules that nothing but their verdict can tell apart.
std::string subject_of(const PathRule& rule) {
  std::string out = std::to_string(rule.ops) + '\0' + rule.target;
  if (rule.pattern.find_first_of("*?[\\{") == std::string::npos) return out + '\0' + rule.pattern;  // most are plain
  std::set<std::string> spellings;
  for (const std::string& one : alternatives_of(rule)) spellings.insert(spelling_of(one));
  for (const std::string& one : spellings) out += '\0' + one;
  return out;
}

auto weight_of(const PathRule& rule) {
  const bool denies = rule.verdict == Verdict::deny;
  return std::tuple(denies, rule.verdict == Verdict::watch,
                    denies ? rule.severity.value_or(Severity::warning) : Severity::info);
}

}  // namespace

std::optional<std::string> RuleClashes::add(const PathRule& rule, std::uint32_t line) {
  const auto [known, added] = known_.try_emplace(subject_of(rule), Earlier{rule.verdict, line});
  if (added) return std::nullopt;
  const Earlier& earlier = known->second;
  const std::string where = "line " + std::to_string(earlier.line);
  if (earlier.verdict == rule.verdict) return "is that of " + where + " again; keep one";
  return "says " + std::string(name_of(rule.verdict)) + ", and " + where + " says " +
         std::string(name_of(earlier.verdict)) + " of the same; keep one";
}

std::vector<PathRule> without_clashes(const std::vector<PathRule>& rules) {
  std::vector<PathRule> out;
  std::unordered_map<std::string, std::size_t> places;
  for (const PathRule& rule : rules) {
    const auto [known, added] = places.try_emplace(subject_of(rule), out.size());
    if (added)
      out.push_back(rule);
    else if (weight_of(rule) > weight_of(out[known->second]))
      out[known->second] = rule;
  }
  return out;
}

}  // namespace aa
