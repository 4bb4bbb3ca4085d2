// config/rule_files.h: the file layer of the path rules: the shipped list, [[paths.rules]], and files of rules.
#pragma once

#include <vector>

#include "config/load.h"
#include "state/path_rules.h"

namespace aa {

// What `paths` says together, into config.paths.rules; every line that is wrong is added to `problems`. Reads at most
// 16 MiB a file, and waits some seconds at most for those that do not answer. Files may include others. `included`:
// where paths.include was given.
void load_path_rules(Config& config, const Problem& included, std::vector<Problem>& problems);

}  // namespace aa
