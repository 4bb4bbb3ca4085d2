// config/override.h: `--set KEY=VALUE`: one value on the command line, over whatever the files say; of a list, its
// elements with commas between them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace aa {

// Stores the value, or says in one sentence what is wrong with it; then nothing is changed.
std::optional<std::string> override_config(std::string_view assignment, Config& config);

}  // namespace aa
