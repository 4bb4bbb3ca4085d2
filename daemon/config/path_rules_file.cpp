#include "config/path_rules_file.h"

#include <cstring>

#include "config/read_file.h"
#include "state/rules_text.h"
#include "state/sensitive_paths.h"

namespace aa {
namespace {

constexpr std::size_t kMostBytes = 16 << 20;

}  // namespace

std::variant<std::vector<PathRule>, std::vector<Problem>> load_path_rules(const Config& config) {
  std::vector<PathRule> rules;
  if (config.paths.shipped == "on") rules = sensitive_paths();
  const std::string& file = config.paths.file;
  if (file.empty()) return rules;
  const Result<std::string> text = read_file(file, kMostBytes);
  if (!text) {
    const Error& error = text.error();
    const std::string why = error.errno_value == 0 ? "" : std::string(": ") + std::strerror(error.errno_value);
    return std::vector<Problem>{{file, 0, 0, "paths.file", error.doing + why}};
  }
  auto parsed = parse_rules(*text, RuleLayer::file);
  if (const auto* wrong = std::get_if<std::vector<RulesProblem>>(&parsed)) {
    std::vector<Problem> problems;
    for (const RulesProblem& one : *wrong)
      problems.push_back({file, static_cast<std::uint32_t>(one.line), 1, "", one.what});
    return problems;
  }
  for (PathRule& rule : std::get<std::vector<PathRule>>(parsed)) rules.push_back(std::move(rule));
  return rules;
}

}  // namespace aa
