// config/path_rules_file.h: the file layer of the path rules: the shipped list and the administrator's own file.
#pragma once

#include <variant>
#include <vector>

#include "config/load.h"
#include "state/path_rules.h"

namespace aa {

// What `paths.shipped` and `paths.file` say together, or every line of the file that is wrong. Reads at most 16 MiB
// from a regular file.
std::variant<std::vector<PathRule>, std::vector<Problem>> load_path_rules(const Config& config);

}  // namespace aa
