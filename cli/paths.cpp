// cli/paths.cpp: `aactl paths`: the path rules in force, replaced, tried out.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "base/unique_fd.h"
#include "state/rules_text.h"
#include "verbs.h"

namespace aa {
namespace {

using nlohmann::json;

// Whole, or Failure: what ends early would be taken for fewer rules.
std::string read_all(const std::string& file) {
  const bool standard = file == "-";
  const UniqueFd opened(standard ? -1 : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!standard && !opened) throw Failure(kRefused, "cannot open " + file + ": " + std::strerror(errno));
  const int fd = standard ? STDIN_FILENO : opened.get();
  const std::string name = standard ? "standard input" : file;
  std::string text;
  std::string piece(1 << 16, '\0');
  for (;;) {
    const ssize_t length = ::read(fd, piece.data(), piece.size());
    if (length == 0) return text;
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno == EISDIR)
      throw Failure(kUsage, name + " is a folder; give a file with one rule a line, or - for standard input");
    if (length < 0) throw Failure(kRefused, "cannot read " + name + ": " + std::strerror(errno));
    text.append(piece, 0, static_cast<std::size_t>(length));
  }
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
    rows.push_back({text_of(rule, "verdict"), for_terminal(bytes_of(rule, "pattern")), text_of(rule, "layer"),
                    for_terminal(text_of(rule, "category")), text_of(rule, "severity"), joined(list_of(rule, "ops")),
                    for_terminal(bytes_of(rule, "target"))});
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
  if (!is_utf8(path))
    throw Failure(kUsage, path +
                              " is not UTF-8, which is all that the bus carries; see which rules there are with: "
                              "sudo aactl paths");
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
