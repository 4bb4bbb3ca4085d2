// probe/proc_text.h: what /proc says of a living process: text only, never identity.
#pragma once

#include "state/plan.h"

namespace aa {

// Fills exe, filename, cwd and argv of a process the task iterator named, and has_text when they are certainly its own:
// the start time /proc shows after the reading must be the kernel's, or the pid was reused meanwhile. Six small reads.
void read_proc_text(LivingProcess& process);

}  // namespace aa
