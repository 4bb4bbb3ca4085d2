// probe/patient_open.h: opens paths of which some may lie on a file system that does not answer.
//
// Comes in: paths. Goes out: O_PATH descriptors (nothing is read, a FIFO does not block, a tape does not wind), some at
// a time. They are opened on a thread, which is left behind where it hangs: as long as it does, what lies there is not
// tried again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace aa {

class PatientOpen {
 public:
  explicit PatientOpen(std::chrono::milliseconds patience = std::chrono::seconds(2)) : patience_(patience) {}

  // Descriptors of the paths from `begin` on, in order; none where there is nothing. Not called side by side, nor after
  // open() has returned; by whichever thread.
  using Use = std::function<void(std::size_t begin, const std::vector<UniqueFd>& open)>;

  using Open = std::function<UniqueFd(const std::string& path)>;  // may outlive the call, where it hangs
  static UniqueFd open_path(const std::string& path);

  // At most `most` are open at a time. Where nobody answers it goes on behind that path some seconds later.
  // False: not all were opened, for somebody does not answer.
  bool open(const std::vector<std::string>& paths, std::size_t most, const Use& use, const Open& how = open_path);

  std::vector<std::string> take_unanswered();  // paths that were given up on since it was last asked
  void stop();                                 // from another thread: opens nothing more, and waits for nobody

 private:
  struct Work;
  std::size_t open_from(std::size_t begin, const std::vector<std::string>& paths, std::size_t most, const Use& use,
                        const Open& how);
  bool hangs(const std::string& path) const;

  std::chrono::milliseconds patience_;
  mutable std::mutex mutex_;
  std::shared_ptr<Work> now_;
  std::vector<std::shared_ptr<Work>> hanging_;
  std::vector<std::string> unanswered_;
  bool stopping_ = false;
  std::uint64_t skipped_ = 0;  // the caller's own
};

}  // namespace aa
