// probe/proc_text.h: what /proc says of a living process: text only, never identity.
#pragma once

#include <set>
#include <vector>

#include "base/patience.h"
#include "state/plan.h"

namespace aa {

class ProcText {
 public:
  // Fills exe, cwd, argv and filename of processes the task iterator named, and has_text when they are certainly their
  // own: the start time /proc shows after the reading must be the kernel's, or the pid was reused meanwhile. argv and
  // filename lie in the process's memory, which may be a file's whose file system never answers: then they stay empty.
  // Cost: six small reads each. All are asked for at once: a turn of two threads takes a busy machine long.
  void read(const std::vector<LivingProcess*>& processes);

 private:
  void read_memories(const std::vector<LivingProcess*>& processes);
  void read_memory_alone(LivingProcess& process);

  Patience patience_;
  std::set<ProcessId> silent_;  // who was not answered for
};

}  // namespace aa
