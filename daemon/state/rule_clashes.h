// state/rule_clashes.h: rules of one set that say the same twice, or one against another.
//
// Comes in: the rules of a file, or of the running layer. Goes out: a sentence for each that an earlier one has said
// already, however it is spelt (`/a/[b]` and `/a/b` name one file), or the set without those that decide nothing. Pure.
// Cost: linear in the rules' alternatives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "state/path_rules.h"

namespace aa {

class RuleClashes {
 public:
  // "says deny, and line 3 says allow of the same; keep one", when an earlier rule has the pattern, operations and
  // target; `line` is this rule's.
  std::optional<std::string> add(const PathRule& rule, std::uint32_t line);

 private:
  struct Earlier {
    Verdict verdict;
    std::uint32_t line;
  };
  std::unordered_map<std::string, Earlier> known_;
};

// Of rules for the same the one that decides: a deny, the most severe of them, else watch before allow.
std::vector<PathRule> without_clashes(const std::vector<PathRule>& rules);

}  // namespace aa
