#include "state/detect_table.h"

#include <algorithm>
#include <cassert>

#include "base/text.h"

namespace aa {
namespace {

constexpr std::array<std::string_view, 9> kClasses = {"shell",         "downloader",     "interpreter",
                                                      "reverse-shell", "pipe-to-shell",  "encoded-payload",
                                                      "fileless-exec", "exec-from-temp", "escape"};
constexpr std::array<std::string_view, 5> kScopes = {"command", "flow", "pipe", "line", "exec"};
constexpr std::array<std::string_view, 17> kTests = {"any",       "line",    "has",     "none",     "word",  "path",
                                                     "elsewhere", "operand", "option",  "without",  "stdin", "memfd",
                                                     "deleted",   "inet",    "renamed", "redirect", "target"};
constexpr std::size_t kFamiliesMax = 64;

using Words = std::vector<std::string>;

// Words of a line; a word in double quotes may hold blanks, and \" and \\.
Words split_words(std::string_view text) {
  Words out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ') {
      ++at;
    } else if (text[at] == '"') {
      std::string word;
      for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        word.push_back(text[at]);
      }
      ++at;
      out.push_back(std::move(word));
    } else {
      const std::size_t end = std::min(text.size(), text.find(' ', at));
      out.emplace_back(text.substr(at, end - at));
      at = end;
    }
  }
  return out;
}

template <std::size_t N>
std::optional<std::size_t> index_of(std::string_view name, const std::array<std::string_view, N>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

template <std::size_t N>
std::string listed(const std::array<std::string_view, N>& names) {
  std::string out;
  for (const std::string_view name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

bool is_one_digit(std::string_view text) {
  return text.size() == 1 && is_digit(text[0]);
}

// Each member returns what is wrong, nullopt when nothing is.
class TableReader {
 public:
  using Wrong = std::optional<std::string>;

  TableReader() {
    table_.families["itself"] = kItself;
    table_.families["stdin-shell"] = kStdinShell;
    table_.families["variable"] = kVariable;
    table_.families["network"] = kNetwork;
  }
  explicit TableReader(DetectTable table) : table_(std::move(table)) {}

  Wrong line(std::string_view text) {
    const Words words = split_words(text);
    if (words.empty() || words[0].starts_with('#')) return std::nullopt;
    if (words.size() < 2) return "\"" + words[0] + "\" says nothing about anybody";
    if (words[0] == "family") return family(words);
    if (words[0] == "runner") return runner(words);
    if (words[0] == "wrapper") return wrapper(words);
    if (words[0] == "rule") return rule(text);
    return "\"" + words[0] + "\" is not one of family, runner, wrapper, rule";
  }

  DetectTable take() { return std::move(table_); }

 private:
  Wrong family(const Words& words) {
    auto [at, is_new] = table_.families.try_emplace(words[1], 0);
    if (is_new) {
      if (table_.families.size() > kFamiliesMax) return "more than 64 families";
      at->second = Families{1} << (table_.families.size() - 1);
    }
    for (std::size_t i = 2; i < words.size(); ++i) {
      const std::size_t colon = words[i].find(':');
      if (colon == 0) return "\"" + words[i] + "\" names no program";
      Membership membership{at->second, {}};
      if (colon != std::string::npos) membership.with_options = split(words[i].substr(colon + 1), ",");
      table_.programs[words[i].substr(0, colon)].push_back(std::move(membership));
    }
    return std::nullopt;
  }

  Wrong known_family(const std::string& name, Families& out) {
    const auto found = table_.families.find(name);
    if (found == table_.families.end()) return "no family is called \"" + name + "\"";
    out |= found->second;
    return std::nullopt;
  }

  Wrong runner(const Words& words) {
    Runner runner;
    if (Wrong wrong = known_family(words[1], runner.family)) return wrong;
    for (std::size_t i = 2; i < words.size(); ++i) {
      const std::size_t equals = words[i].find('=');
      const std::string key = words[i].substr(0, equals);
      const Words values = equals == std::string::npos ? Words{} : split(words[i].substr(equals + 1), ",");
      if (key == "inline") {
        runner.inline_options = values;
      } else if (key == "module") {
        runner.module_options = values;
      } else if (key == "values") {
        runner.value_options = values;
      } else if (key == "files") {
        runner.file_options = values;
      } else if (key == "commands") {
        runner.text_options = values;
      } else if (key == "never") {
        runner.never_options = values;
      } else if (key == "shell") {
        runner.shell = true;
      } else if (key == "texts") {
        runner.texts = true;
      } else {
        return "a runner has inline=, module=, values=, files=, commands=, never=, shell and texts, not \"" + key +
               "\"";
      }
    }
    table_.runners.push_back(std::move(runner));
    return std::nullopt;
  }

  Wrong wrapper(const Words& words) {
    Wrapper wrapper;
    for (std::size_t i = 2; i < words.size(); ++i) {
      const std::size_t equals = words[i].find('=');
      const std::string key = words[i].substr(0, equals);
      const Words values = equals == std::string::npos ? Words{} : split(words[i].substr(equals + 1), ",");
      if (key == "values") {
        wrapper.value_options = values;
      } else if (key == "script") {
        wrapper.script_options = values;
      } else if (key == "split") {
        wrapper.split_options = values;
      } else if (key == "exec") {
        wrapper.exec_options = values;
      } else if (key == "stop") {
        wrapper.stop_options = values;
      } else if (key == "positionals" && values.size() == 1 && is_one_digit(values[0])) {
        wrapper.positionals = static_cast<std::size_t>(values[0][0] - '0');
      } else if (key == "assignments") {
        wrapper.assignments = true;
      } else if (key == "joined") {
        wrapper.joined = true;
      } else if (key == "first") {
        wrapper.first = true;
      } else if (key == "feeds") {
        wrapper.feeds = true;
      } else {
        return "a wrapper has no \"" + words[i] + "\"";
      }
    }
    for (const std::string& name : split(words[1], ",")) table_.wrappers[name] = wrapper;
    return std::nullopt;
  }

  // rule NAME CLASS SEVERITY | SCOPE FAMILY… ; TEST VALUE… ; … | sentence
  Wrong rule(std::string_view text) {
    const Words parts = split(text, " | ");
    const Words head = split_words(parts[0]);
    if (parts.size() != 3 || head.size() != 4) return "a rule is: rule NAME CLASS SEVERITY | CONDITIONS | SENTENCE";
    Rule rule;
    rule.name = head[1];
    const auto same = [&](const Rule& other) { return other.name == rule.name; };
    if (std::any_of(table_.rules.begin(), table_.rules.end(), same)) return "there are two rules \"" + rule.name + "\"";
    const auto detect_class = index_of(head[2], kClasses);
    if (!detect_class) return "no class is called \"" + head[2] + "\"; there are " + listed(kClasses);
    rule.detect_class = static_cast<DetectClass>(*detect_class);
    const auto severity = parse_severity(head[3]);
    if (!severity) return "a severity is info, warning or critical, not \"" + head[3] + "\"";
    rule.severity = *severity;
    rule.sentence = parts[2];
    Words conditions = split(parts[1], " ; ");
    if (Wrong wrong = scope(split_words(conditions[0]), rule)) return wrong;
    for (std::size_t i = 1; i < conditions.size(); ++i) {
      Words words = split_words(conditions[i]);
      const auto test = words.empty() ? std::nullopt : index_of(words[0], kTests);
      if (!test) return "no test is called \"" + conditions[i] + "\"; there are " + listed(kTests);
      words.erase(words.begin());
      if (std::find(words.begin(), words.end(), "") != words.end()) return "an empty value would match everything";
      rule.conditions.push_back({static_cast<Test>(*test), std::move(words)});
    }
    table_.rules.push_back(std::move(rule));
    return std::nullopt;
  }

  Wrong scope(const Words& words, Rule& rule) {
    const auto scope = words.empty() ? std::nullopt : index_of(words[0], kScopes);
    if (!scope) return "a rule looks at one of " + listed(kScopes) + " first";
    rule.scope = static_cast<RuleScope>(*scope);
    const bool two = rule.scope == RuleScope::flow || rule.scope == RuleScope::pipe;
    const std::size_t wanted = two ? 3 : rule.scope == RuleScope::command ? 2 : 1;
    if (words.size() != wanted)
      return "\"" + words[0] + "\" wants " + std::to_string(wanted - 1) + " lists of families";
    for (std::size_t i = 1; i < words.size(); ++i) {
      for (const std::string& name : split(words[i], ",")) {
        if (Wrong wrong = known_family(name, i == 1 ? rule.first : rule.second)) return wrong;
      }
    }
    return std::nullopt;
  }

  DetectTable table_;
};

}  // namespace

std::string_view name_of(DetectClass detect_class) {
  return kClasses[static_cast<std::size_t>(detect_class)];
}

std::variant<DetectTable, std::string> parse_detect_table(std::string_view text) {
  TableReader reader;
  std::size_t number = 0;
  for (const std::string& line : split(text, "\n")) {
    ++number;
    if (auto wrong = reader.line(line)) return "line " + std::to_string(number) + ": " + *wrong;
  }
  return reader.take();
}

std::variant<DetectTable, std::vector<DetectProblem>> change_detect_table(DetectTable table,
                                                                          const DetectChange& change) {
  std::erase_if(table.rules, [&](const Rule& rule) {
    return std::find(change.off.begin(), change.off.end(), rule.name) != change.off.end();
  });
  const auto others = static_cast<std::ptrdiff_t>(table.rules.size());
  TableReader reader(std::move(table));
  std::vector<DetectProblem> problems;
  for (std::size_t row = 0; row < change.rows.size(); ++row)
    if (auto wrong = reader.line(change.rows[row])) problems.push_back({row, std::move(*wrong)});
  if (!problems.empty()) return problems;
  DetectTable changed = reader.take();
  std::rotate(changed.rules.begin(), changed.rules.begin() + others, changed.rules.end());
  return changed;
}

const DetectTable& shipped_detect_table() {
  static const DetectTable table = [] {
    auto parsed = parse_detect_table(shipped_detect_rules());
    assert(std::holds_alternative<DetectTable>(parsed));
    return std::get<DetectTable>(std::move(parsed));
  }();
  return table;
}

bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string program_name(std::string_view path, const DetectTable& table) {
  std::string_view name = last_component(path);
  if (name.starts_with('-')) name.remove_prefix(1);
  const auto is_known = [&](std::string_view word) {
    return table.programs.contains(word) || table.wrappers.contains(word);
  };
  if (is_known(name)) return std::string(name);
  std::string plain = lowered(name);
  if (plain.ends_with(".exe")) plain.resize(plain.size() - 4);
  if (is_known(plain)) return plain;
  const std::size_t end = plain.find_last_not_of("0123456789.-");
  const std::string bare = plain.substr(0, end == std::string::npos ? 0 : end + 1);
  return is_known(bare) ? bare : std::string(name);
}

}  // namespace aa
