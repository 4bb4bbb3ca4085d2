// state/rules_text.h: path rules as lines of text, for a rules file and for `aactl paths set`.
//
//   # what nobody should touch
//   deny category=ssh severity=critical ~/.ssh/
//   deny ops=write,unlink,rename target=claude /srv/data/
//   allow ~/.ssh/known_hosts
//   /srv/private/
//   include /etc/aa-ebpfd/more.rules
//
// Comes in: text. Goes out: rules, or every mistake with its line. The pattern is the rest of the line, spaces
// included; a line that is a pattern alone denies it. Only files that the configuration names may include others.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "state/path_rules.h"

namespace aa {

struct RulesProblem {
  std::size_t line = 0;    // 1, 2, …
  std::size_t column = 0;  // of the line's first word, from 1
  std::string what;
};

// What a text says, line by line.
struct RulesText {
  struct Line {
    std::size_t line = 0;
    std::size_t column = 0;
    PathRule rule;
  };
  struct Include {
    std::size_t line = 0;
    std::size_t column = 0;
    std::string path;  // absolute
  };
  std::vector<Line> rules;
  std::vector<Include> includes;
  std::vector<RulesProblem> problems;
};
RulesText read_rules(std::string_view text, RuleLayer layer);

// The rules of a text that includes nothing; in the running layer of UTF-8 alone, as the bus carries them.
std::variant<std::vector<PathRule>, std::vector<RulesProblem>> parse_rules(std::string_view text, RuleLayer layer);

// One rule as such a line.
std::string rule_line(const PathRule& rule);

// "open,read" → the set; a string says which name is unknown and which there are.
std::variant<OpSet, std::string> parse_ops(const std::vector<std::string>& names);
std::vector<std::string> op_names(OpSet ops);                 // empty for all
std::optional<Verdict> parse_verdict(std::string_view text);  // "deny" "allow" "watch"

}  // namespace aa
