// config/runtime_state.h: what was said over the bus, kept for the next daemon of the same boot.
//
// Comes in: the Monitor, or a kept text. Goes out: the other: commands that bring it about again. Processes are named
// by their ids: a pid that is another process's now is not watched.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "state/monitor.h"

namespace aa {

// Targets that the bus asked for, the running layer of path rules, and what targets promised. Of a target whose root is
// gone each living process that nobody living of it started stands for it.
std::string runtime_state(const Monitor& monitor, std::string_view boot_id);

// No commands when the text is of another boot.
Result<std::vector<Command>> restore_runtime_state(std::string_view text, std::string_view boot_id);

}  // namespace aa
