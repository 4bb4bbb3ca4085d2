#include "state/detect.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "state/command_view.h"

namespace aa {
namespace {

bool goes_on_before(std::string_view text, std::size_t at) {
  const auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; };
  return at > 0 && is_part(text[at - 1]);
}

// "~eval(" is found where no longer name ends in it: not in "literal_eval(" or "x.eval(".
bool contains(std::string_view text, std::string_view value) {
  const bool whole = value.starts_with('~');
  if (whole) value.remove_prefix(1);
  std::size_t at = text.find(value);
  while (whole && at != std::string_view::npos && goes_on_before(text, at)) at = text.find(value, at + 1);
  return at != std::string_view::npos;
}

bool contains_any(std::string_view text, const std::vector<std::string>& values) {
  return std::any_of(values.begin(), values.end(), [&](const std::string& value) { return contains(text, value); });
}

bool contains_all(std::string_view text, const std::vector<std::string>& values) {
  return std::all_of(values.begin(), values.end(), [&](const std::string& value) { return contains(text, value); });
}

bool matches_any(std::string_view text, const std::vector<std::string>& globs) {
  return !text.empty() &&
         std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return matches_glob(glob, text); });
}

class Judge {
 public:
  Judge(const Sighting& sighting, const DetectTable& table)
      : sighting_(sighting), view_(view_command(sighting.argv, name_of_exe(), sighting.upstream, table)) {}

  Families output() const { return view_.output; }

  bool matches(const Rule& rule) const {
    switch (rule.scope) {
      case RuleScope::command:
        return std::any_of(view_.commands.begin(), view_.commands.end(), [&](const OpenedCommand& command) {
          return (command.families & rule.first) != 0 && holds(rule, command.text, &command);
        });
      case RuleScope::flow:
      case RuleScope::pipe:
        return std::any_of(view_.flows.begin(), view_.flows.end(),
                           [&](const Flow& flow) {
                             return (flow.from & rule.first) != 0 && (flow.to & rule.second) != 0 &&
                                    (flow.as_code || rule.scope == RuleScope::pipe);
                           }) &&
               holds(rule, view_.text, nullptr);
      case RuleScope::line:
      case RuleScope::exec:
        return holds(rule, view_.text, nullptr);
    }
    return false;
  }

 private:
  std::string name_of_exe() const { return sighting_.known_as.empty() ? sighting_.exe : sighting_.known_as; }

  bool holds(const Rule& rule, const std::string& text, const OpenedCommand* command) const {
    return std::all_of(rule.conditions.begin(), rule.conditions.end(),
                       [&](const Condition& condition) { return holds(condition, text, command); });
  }

  bool holds(const Condition& condition, const std::string& text, const OpenedCommand* command) const {
    const std::vector<std::string>& values = condition.values;
    switch (condition.test) {
      case Test::any:
        return contains_any(text, values);
      case Test::line:
        return contains_any(view_.text, values);
      case Test::has:
        return contains_all(text, values);
      case Test::none:
        return !contains_any(text, values);
      case Test::word:
        return command != nullptr && !command->words.empty() &&
               std::any_of(command->words.begin() + 1, command->words.end(),
                           [&](const auto& word) { return matches_any(word.text, values); });
      case Test::path:
        return is_at(command, values);
      case Test::elsewhere:
        return !is_at(command, values);
      case Test::operand:
        return command != nullptr &&
               (matches_any(command->operand, values) || matches_any(whole(command->operand), values));
      case Test::option:
        return command != nullptr && has_option(command->words, command->own, values);
      case Test::without:
        return command != nullptr && !has_option(command->words, command->own, values);
      case Test::stdin_code:
        return command != nullptr && command->stdin_code;
      case Test::memfd:
        return sighting_.memfd;
      case Test::deleted:
        return sighting_.deleted;
      case Test::inet:
        return sighting_.stdin_inet;
      case Test::renamed:  // the exec itself, not what it leads to
        return !sighting_.known_as.empty() && (command == nullptr || command == &view_.commands.front());
      case Test::redirect:
        return std::any_of(view_.redirects.begin(), view_.redirects.end(),
                           [&](const std::string& redirect) { return matches_any(redirect, values); });
      case Test::target:
        return command != nullptr && command->words.size() > 1 && matches_any(command->words.back().text, values);
    }
    return false;
  }

  bool is_at(const OpenedCommand* command, const std::vector<std::string>& globs) const {
    if (command != nullptr) return !command->words.empty() && matches_any(command->words.front().text, globs);
    return matches_any(sighting_.exe, globs) || matches_any(whole(sighting_.filename), globs);
  }

  std::string whole(const std::string& path) const {
    if (path.empty() || path.front() == '/' || sighting_.cwd.empty()) return path;
    return sighting_.cwd + "/" + path.substr(path.starts_with("./") ? 2 : 0);
  }

  const Sighting& sighting_;
  const CommandView view_;
};

}  // namespace

Sighting sighting_of(const ProcessRef& process, const ExecBody& exec) {
  return {exec.argv, exec.filename, process.exe, exec.cwd, "", 0, exec.memfd, exec.deleted, exec.stdin_inet};
}

Sighting sighting_of(const std::vector<std::string>& argv) {
  Sighting sighting;
  sighting.argv = argv;
  if (!argv.empty() && argv.front().find('/') != std::string::npos) sighting.filename = argv.front();
  return sighting;
}

Detection::Detection(const Sighting& sighting, const DetectTable& table) {
  const Judge judge(sighting, table);
  for (const Rule& rule : table.rules) {
    if (judge.matches(rule)) matching_.push_back(&rule);
  }
  output_ = judge.output();
}

const Rule* Detection::worst_of(const Rules& rules) {
  const auto less = [](const Rule* a, const Rule* b) { return a->severity < b->severity; };
  const auto worst = std::max_element(rules.begin(), rules.end(), less);
  return worst == rules.end() ? nullptr : *worst;
}

const Rule* Detection::worst_beyond(const Detection& before) const {
  Rules more;
  std::copy_if(matching_.begin(), matching_.end(), std::back_inserter(more), [&](const Rule* rule) {
    return std::find(before.matching_.begin(), before.matching_.end(), rule) == before.matching_.end();
  });
  return worst_of(more);
}

}  // namespace aa
