// probe/proc_text.h: what /proc says of a living process: text only, never identity.
#pragma once

#include <set>
#include <string>

#include "base/patience.h"
#include "state/plan.h"

namespace aa {

class ProcText {
 public:
  // Fills exe, filename, cwd and argv of a process the task iterator named, and has_text when they are certainly its
  // own: the start time /proc shows after the reading must be the kernel's, or the pid was reused meanwhile. Six small
  // reads. `filename` lies in memory that may be a file's whose file system never answers: then it is empty.
  void read(LivingProcess& process);

 private:
  std::string started_as(const ProcessId& process, const std::string& directory);

  Patience patience_;
  std::set<ProcessId> silent_;  // who was not answered for
};

}  // namespace aa
