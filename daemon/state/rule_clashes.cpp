#include "state/rule_clashes.h"

#include "state/glob.h"

namespace aa {
namespace {

std::string spelling_of(const std::string& pattern) {
  const auto glob = Glob::parse(pattern.starts_with('*') ? "/" + pattern : pattern);
  const auto* parsed = std::get_if<Glob>(&glob);
  return parsed == nullptr ? pattern : parsed->spelling();
}

}  // namespace

std::optional<std::string> RuleClashes::add(const PathRule& rule, std::uint32_t number) {
  const std::string of_whom = '\0' + std::to_string(rule.ops) + '\0' + rule.target;
  const Earlier now{rule.verdict, number, ++rules_};
  const Earlier* first = nullptr;
  std::size_t fresh = 0;
  for (const std::string& one : alternatives_of(rule)) {
    const auto [known, added] = known_.try_emplace(spelling_of(one) + of_whom, now);
    const Earlier& earlier = known->second;
    if (added) ++fresh;
    if (earlier.order == now.order) continue;
    if (earlier.verdict != rule.verdict)
      return "says " + std::string(name_of(rule.verdict)) + ", and " + std::string(counted_by_) + " " +
             std::to_string(earlier.number) + " says " + std::string(name_of(earlier.verdict)) +
             " of the same; keep one";
    if (first == nullptr) first = &earlier;
  }
  if (first == nullptr || fresh > 0) return std::nullopt;
  return "is that of " + std::string(counted_by_) + " " + std::to_string(first->number) + " again; keep one";
}

std::optional<std::string> find_clash(const std::vector<PathRule>& rules) {
  RuleClashes clashes("rule");
  for (std::uint32_t at = 0; at < rules.size(); ++at)
    if (const auto clash = clashes.add(rules[at], at + 1))
      return "rule " + std::to_string(at + 1) + ", for " + rules[at].pattern + ", " + *clash;
  return std::nullopt;
}

}  // namespace aa
