// cli/tree_text.h: a whole lineage drawn.
//
// Comes in: processes as the daemon lists them. Goes out: text. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "render.h"

namespace aa {

// A line a process, each below its birth parent, in the order given; a process whose parent is not among them is a
// root. The living stand out, the ended show how and after what time.
std::string tree_text(const std::vector<nlohmann::json>& processes, const Style& style);

// A line a process, from the oldest ancestor down to the process itself. `processes` has the process first.
std::string ancestry_text(const std::vector<nlohmann::json>& processes, const Style& style);

}  // namespace aa
