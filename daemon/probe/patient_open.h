// probe/patient_open.h: opens paths of which some may lie on a file system that does not answer.
//
// Comes in: paths. Goes out: O_PATH descriptors (nothing is read, a FIFO does not block, a tape does not wind). Opened
// on a thread of its own, which is left behind where it hangs: as long as it does, what lies there is not tried again.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace aa {

class PatientOpen {
 public:
  explicit PatientOpen(std::chrono::milliseconds patience = std::chrono::seconds(2)) : patience_(patience) {}

  // As many as paths, none where there is nothing or nobody answered. At most some seconds longer than opening takes.
  std::vector<UniqueFd> open(const std::vector<std::string>& paths);

  std::vector<std::string> take_unanswered();  // paths that were given up on since it was last asked
  void stop();                                 // from another thread: opens nothing more, and waits for nobody

 private:
  struct Work;
  std::size_t open_from(std::size_t begin, const std::vector<std::string>& paths, std::vector<UniqueFd>& out);
  bool hangs(const std::string& path) const;

  std::chrono::milliseconds patience_;
  mutable std::mutex mutex_;
  std::shared_ptr<Work> now_;
  std::vector<std::shared_ptr<Work>> hanging_;
  std::vector<std::string> unanswered_;
  bool stopping_ = false;
};

}  // namespace aa
