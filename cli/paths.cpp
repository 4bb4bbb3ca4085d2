// cli/paths.cpp: `aactl paths`: the path rules in force, replaced, tried out.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/text.h"
#include "state/rules_text.h"
#include "verbs.h"

namespace aa {
namespace {

using nlohmann::json;

std::string read_all(const std::string& file) {
  if (file == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Failure(kRefused, "cannot open " + file + ": " + std::strerror(errno));
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

}  // namespace

int paths(const Globals& globals) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const json report = client.path_rules();
  if (globals.json) {
    for (const json& rule : report["rules"]) out.write(rule.dump() + '\n');
    return kDone;
  }
  std::vector<std::vector<std::string>> rows = {
      {"VERDICT", "PATTERN", "LAYER", "CATEGORY", "SEVERITY", "OPS", "TARGET"}};
  for (const json& rule : report["rules"])
    rows.push_back({text_of(rule, "verdict"), for_terminal(text_of(rule, "pattern")), text_of(rule, "layer"),
                    for_terminal(text_of(rule, "category")), text_of(rule, "severity"), joined(list_of(rule, "ops")),
                    for_terminal(text_of(rule, "target"))});
  out.write("generation " + std::to_string(number_of(report, "generation")) + "\n" + table(rows, out.style()));
  return kDone;
}

int paths_set(const Globals& globals, const std::string& file) {
  const auto parsed = parse_rules(read_all(file), RuleLayer::runtime);
  if (const auto* problems = std::get_if<std::vector<RulesProblem>>(&parsed)) {
    for (const RulesProblem& problem : *problems)
      complain(file + ":" + std::to_string(problem.line) + ": " + problem.what);
    throw Failure(kRefused, "nothing was changed");
  }
  const auto& rules = std::get<std::vector<PathRule>>(parsed);
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const std::uint64_t generation = client.set_path_rules(rules);
  out.write(globals.json
                ? json{{"generation", generation}, {"rules", rules.size()}}.dump() + '\n'
                : std::to_string(rules.size()) + (rules.size() == 1 ? " rule is" : " rules are") +
                      " in force beside the configured ones, as generation " + std::to_string(generation) + '\n');
  return kDone;
}

int paths_test(const Globals& globals, const std::string& path) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const json answer = client.test_path(path);
  if (globals.json) {
    out.write(answer.dump() + '\n');
    return kDone;
  }
  const std::string rule = text_of(answer, "rule");
  out.write(rule.empty() ? "no rule speaks of it\n" : text_of(answer, "verdict") + " by " + for_terminal(rule) + '\n');
  return kDone;
}

}  // namespace aa
