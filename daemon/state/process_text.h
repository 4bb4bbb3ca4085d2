// state/process_text.h: what a process says about itself, remembered within a budget.
//
// Comes in: an exec's strings. Goes out: one shared value for all who hold it. Many small programs with long arguments
// must not fill the daemon's memory: over the budget, the Monitor forgets exited processes, oldest first, and what
// comes new meanwhile is kept short.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace aa {

// One per exec, shared by forks that have not execed. Exact bytes.
struct ProcessText {
  std::string exe;
  std::string cwd;
  std::vector<std::string> argv;  // within the limits below, in all
  bool argv_truncated = false;
};

class TextBudget {
 public:
  struct Limits {
    std::size_t argv_bytes = 64 * 1024;    // of one process, each element with its NUL
    std::size_t total_bytes = 64ul << 20;  // of all, with what their storage costs
  };

  explicit TextBudget(Limits limits) : limits_(limits) {}

  // Cuts argv at the limit of one process, at kShortBytes while the budget is used up, and marks the cut.
  std::shared_ptr<const ProcessText> make(std::string exe, std::string cwd, std::vector<std::string> argv,
                                          bool truncated);

  bool over() const { return *used_ > limits_.total_bytes; }
  std::size_t used() const { return *used_; }  // bytes; goes down when the last holder lets go

  static constexpr std::size_t kShortBytes = 256;

 private:
  Limits limits_;
  std::shared_ptr<std::size_t> used_ = std::make_shared<std::size_t>(0);
};

}  // namespace aa
