// base/proc_start.h: is a pid still the process it was?
#pragma once

#include <cstdint>

namespace aa {

// What /proc shows of the process with that pid began at `start_ns` since boot. Asked after what was read about it:
// then that is certainly its own. /proc counts in clock ticks.
bool began_at(std::uint32_t pid, std::uint64_t start_ns);

}  // namespace aa
