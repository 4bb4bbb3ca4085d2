#include "state/rules_text.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace aa {
namespace {

std::string_view next_word(std::string_view& text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  const std::size_t end = std::min(text.find_first_of(" \t", begin), text.size());
  const std::string_view word = text.substr(begin, end - begin);
  text.remove_prefix(end);
  return word;
}

// "" when `key=value` was taken in.
std::string set_option(std::string_view key, std::string_view value, PathRule& rule) {
  // Taken for none given, either would make a rule for more than was meant.
  if (value.empty())
    return "the option " + std::string(key.substr(0, 40)) +
           "= has no value; write one right after the =, or leave it out";
  if (key == "ops") {
    const auto ops = parse_ops(split(value, ","));
    if (const auto* wrong = std::get_if<std::string>(&ops)) return *wrong;
    rule.ops = std::get<OpSet>(ops);
  } else if (key == "severity") {
    rule.severity = parse_severity(value);
    if (!rule.severity) return "severity must be info, warning or critical";
  } else if (key == "category") {
    rule.category = value;
  } else if (key == "target") {
    rule.target = value;
  } else {
    return "the option \"" + std::string(key) + "\" is unknown; there are ops, severity, category and target";
  }
  return {};
}

std::string parse_line(std::string_view line, PathRule& rule) {
  if (line.front() == '/' || line.front() == '~' || line.front() == '*') {
    rule.pattern = line;
    return check_rule(rule).value_or("");
  }
  const std::string_view verdict = next_word(line);
  if (const auto parsed = parse_verdict(verdict)) {
    rule.verdict = *parsed;
  } else {
    return "a line begins with deny, allow or watch, not with \"" + std::string(verdict.substr(0, 40)) + "\"";
  }
  std::vector<std::string_view> given;
  for (;;) {
    std::string_view rest = line;
    const std::string_view word = next_word(rest);
    const std::size_t equals = word.find('=');
    const bool option =
        equals != std::string_view::npos && word.front() != '/' && word.front() != '~' && word.front() != '*';
    if (!option) break;
    const std::string_view key = word.substr(0, equals);
    if (std::string wrong = set_option(key, word.substr(equals + 1), rule); !wrong.empty()) return wrong;
    if (std::ranges::find(given, key) != given.end())
      return "the option " + std::string(key) + "= is given twice; give it once" +
             (key == "ops" ? ", with commas between operations" : "");
    given.push_back(key);
    line = rest;
  }
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  rule.pattern = line;
  return check_rule(rule).value_or("");
}

// "" when the bus can carry it, over which the running layer comes.
std::string check_bus_text(const PathRule& rule) {
  constexpr std::size_t kShown = 200;
  for (const auto& [what, text] : {std::pair("pattern", &rule.pattern), std::pair("target", &rule.target)})
    if (to_bus_string(*text) != *text)
      return "the " + std::string(what) + " \"" + to_bus_string(text->substr(0, kShown)) +
             "\" is not UTF-8 without NUL, which is all that the bus carries; such a rule can only stand in a file "
             "that "
             "paths.include names in the configuration";
  return {};
}

}  // namespace

std::variant<OpSet, std::string> parse_ops(const std::vector<std::string>& names) {
  OpSet ops = 0;
  for (const std::string& name : names) {
    if (const auto op = parse_file_op(name)) {
      if ((ops & op_bit(*op)) != 0) return "the operation \"" + name + "\" is given twice";
      ops |= op_bit(*op);
      continue;
    }
    std::string known;
    for (std::size_t at = 0; at < kFileOps; ++at)
      known += (at == 0 ? "" : ", ") + std::string(name_of(static_cast<FileOp>(at)));
    return "the operation \"" + name.substr(0, 40) + "\" is unknown; there are: " + known;
  }
  constexpr OpSet kEach = (OpSet{1} << kFileOps) - 1;
  return ops == kEach ? kAllOps : ops;
}

std::vector<std::string> op_names(OpSet ops) {
  std::vector<std::string> names;
  if (ops == kAllOps) return names;
  for (std::size_t at = 0; at < kFileOps; ++at)
    if ((ops & op_bit(static_cast<FileOp>(at))) != 0) names.emplace_back(name_of(static_cast<FileOp>(at)));
  return names;
}

std::optional<Verdict> parse_verdict(std::string_view text) {
  if (text == "deny") return Verdict::deny;
  if (text == "allow") return Verdict::allow;
  if (text == "watch") return Verdict::watch;
  return std::nullopt;
}

RulesText read_rules(std::string_view text, RuleLayer layer) {
  RulesText out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos || line[begin] == '#') continue;
    line.remove_prefix(begin);
    if (line.starts_with("include ")) {
      line.remove_prefix(std::min(line.find_first_not_of(" \t", 8), line.size()));
      if (line.starts_with('/') && line.find('\0') == std::string_view::npos)
        out.includes.push_back({number, begin + 1, std::string(line)});
      else
        out.problems.push_back({number, begin + 1, "include wants an absolute path"});
      continue;
    }
    PathRule rule;
    rule.layer = layer;
    if (std::string wrong = parse_line(line, rule); !wrong.empty())
      out.problems.push_back({number, begin + 1, std::move(wrong)});
    else
      out.rules.push_back({number, begin + 1, std::move(rule)});
  }
  return out;
}

std::variant<std::vector<PathRule>, std::vector<RulesProblem>> parse_rules(std::string_view text, RuleLayer layer) {
  RulesText said = read_rules(text, layer);
  for (const RulesText::Include& include : said.includes)
    said.problems.push_back(
        {include.line, include.column, "only a file that the configuration names may include others"});
  for (const RulesText::Line& line : said.rules) {
    if (layer != RuleLayer::runtime) break;
    if (std::string wrong = check_bus_text(line.rule); !wrong.empty())
      said.problems.push_back({line.line, line.column, std::move(wrong)});
  }
  std::ranges::stable_sort(said.problems, {}, &RulesProblem::line);
  if (!said.problems.empty()) return std::move(said.problems);
  std::vector<PathRule> rules;
  for (RulesText::Line& line : said.rules) rules.push_back(std::move(line.rule));
  return rules;
}

std::string rule_line(const PathRule& rule) {
  std::string line(name_of(rule.verdict));
  if (rule.ops != kAllOps) {
    line += " ops=";
    for (const std::string& name : op_names(rule.ops)) line += (line.back() == '=' ? "" : ",") + name;
  }
  if (rule.severity) line += " severity=" + std::string(name_of(*rule.severity));
  if (!rule.category.empty()) line += " category=" + rule.category;
  if (!rule.target.empty()) line += " target=" + rule.target;
  return line + " " + rule.pattern;
}

}  // namespace aa
