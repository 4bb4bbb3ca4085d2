// config/rule_files.h: the file layer of the path rules: the shipped list, [[paths.rules]], and files of rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/load.h"
#include "state/path_rules.h"

namespace aa {

// The rules of one file: none shall stand there twice, or against another.
class OneFilesRules {
 public:
  // A sentence when an earlier rule has the same pattern, operations and target; `line` is this rule's.
  std::optional<std::string> add(const PathRule& rule, std::uint32_t line);

 private:
  struct Earlier {
    Verdict verdict;
    std::uint32_t line;
  };
  std::unordered_map<std::string, Earlier> known_;
};

// What `paths` says together, into config.paths.rules; every line that is wrong is added to `problems`. Reads at most
// 16 MiB a file, and waits some seconds at most for those that do not answer. Files may include others. `included`:
// where paths.include was given.
void load_path_rules(Config& config, const Problem& included, std::vector<Problem>& problems);

}  // namespace aa
