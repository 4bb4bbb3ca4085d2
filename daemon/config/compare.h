// config/compare.h: what two configurations say differently.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/keys.h"

namespace aa {

// The names of keys, and of what comes in any number, whose values differ; with `only`, those that take effect so.
std::vector<std::string> differing(const Config& a, const Config& b, std::optional<Applies> only = std::nullopt);

}  // namespace aa
