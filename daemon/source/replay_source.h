// source/replay_source.h: a capture → the events it led to, without kernel, bus or privileges.
//
// Comes in: a file that --record wrote, or any other. Goes out: JSON Lines, the same bytes on every machine and every
// time; or one sentence with the file, the place and what is wrong there. Lines before a damaged place are written.
#pragma once

#include <string>

#include "base/result.h"

namespace aa {

// "-": the file that standard input is.
Status replay_capture(const std::string& path, int out);

}  // namespace aa
