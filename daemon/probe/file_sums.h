// probe/file_sums.h: takes the kernel's sums of reads and writes out of it, losing none.
//
// Comes in: a wish to have all of them, or those of a process that has ended. Goes out: FileSum values. All of them: a
// thread swaps the map that is added to for the empty other one, which waits until no program uses the old one; what is
// in that is then final, and the thread empties it. Of an ended process: nobody adds to its sums, so they are taken
// where they lie, in either map or among what the thread has got already.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "event/event.h"
#include "probe/file_family.h"

namespace aa {

class FileSums {
 public:
  static Result<std::unique_ptr<FileSums>> make(const FileFamily& family);
  ~FileSums();

  // Starts a flip unless one is under way; done_fd() becomes readable when it is done, and take() gives the sums. A
  // flip takes as long as the kernel needs to leave every running program, 4 to 50 ms as a rule, and three system calls
  // a sum.
  void flip();
  int done_fd() const { return done_.get(); }
  // Empty without a finished flip.
  std::vector<FileSum> take();
  // All that is summed until now. Waits for two flips, for the first may have been under way.
  std::vector<FileSum> take_all();

  // Of an ended process. Cost: four system calls a key.
  std::vector<FileSum> collect(const std::vector<SumKey>& keys);

 private:
  explicit FileSums(const FileFamily& family) : family_(family) {}
  void run();
  void drain(int map);

  const FileFamily& family_;
  UniqueFd done_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  bool asked_ = false;
  bool ending_ = false;
  unsigned active_ = 0;  // the map that is added to
  std::multimap<SumKey, FileSum> drained_;
  std::thread thread_;
};

}  // namespace aa
