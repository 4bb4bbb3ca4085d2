// state/rule_clashes.h: rules of one set that say the same twice, or one against another.
//
// Comes in: the rules of a file, or of one call, one after the other. Goes out: a sentence for each that an earlier one
// has said already, however it is spelt (`/a/[b]`, `/a/{b,c}` and `/a/b` name one file). Pure. Cost: linear in the
// rules' alternatives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "state/path_rules.h"

namespace aa {

class RuleClashes {
 public:
  // What a rule is counted by: "line 3", "rule 3".
  explicit RuleClashes(std::string_view counted_by) : counted_by_(counted_by) {}

  // "says deny, and line 3 says allow of the same; keep one", when an earlier rule with the same operations and target
  // has the pattern, or with another verdict one of its alternatives. The rule is one that check_rule takes.
  std::optional<std::string> add(const PathRule& rule, std::uint32_t number);

 private:
  struct Earlier {
    Verdict verdict;
    std::uint32_t number;  // several may stand on one line
    std::size_t order;
  };
  std::string_view counted_by_;
  std::size_t rules_ = 0;
  std::unordered_map<std::string, Earlier> known_;  // by pattern without alternatives, operations and target
};

// Of a set whose rules have no lines: nothing, or what to do about the first that clashes.
std::optional<std::string> find_clash(const std::vector<PathRule>& rules);

}  // namespace aa
