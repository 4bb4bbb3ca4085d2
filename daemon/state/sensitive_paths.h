// state/sensitive_paths.h: the path rules every installation begins with: real secrets, each with its category.
//
// Data. `paths.shipped = "off"` leaves them out; a rules file adds to them, or takes single ones back with allow.
#pragma once

#include <vector>

#include "state/path_rules.h"

namespace aa {

std::vector<PathRule> sensitive_paths();

}  // namespace aa
