// probe/proc_text.h: what /proc says of a living process: text only, never identity.
#pragma once

#include <set>
#include <vector>

#include "base/patience.h"
#include "state/plan.h"

namespace aa {

class ProcText {
 public:
  // Fills exe, cwd and argv of a process the task iterator named, and has_text when they are certainly its own: the
  // start time /proc shows after the reading must be the kernel's, or the pid was reused meanwhile. Five small reads.
  static void read(LivingProcess& process);
  // Fills `filename` of all that have text. It lies in memory that may be a file's whose file system never answers:
  // then it stays empty. All are asked for at once: a turn of two threads takes a busy machine long.
  void read_filenames(std::vector<LivingProcess>& processes);

 private:
  Patience patience_;
  std::set<ProcessId> silent_;  // who was not answered for
};

}  // namespace aa
