// probe/identifier.h: carries out IdentifyPlans: reads the build-id of programs that are called like no known one.
//
// Comes in: plans. Goes out: what is a copy of a known program. Reads files, which may wait for a disk: on a thread of
// its own, never in the loop; who does not answer at all is given up on (Patience). A file is read once for as long as
// it does not change; the queue is bounded, and what finds no room there is counted. Known programs are those of this
// machine's folders for programs, and what IdentifyPlans say is one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "state/plan.h"

namespace aa {

class Identifier {
 public:
  struct Counts {
    std::uint64_t dropped = 0;     // the queue was full
    std::uint64_t unreadable = 0;  // the file was gone, another one, or not to be read
  };

  static Result<std::unique_ptr<Identifier>> make();
  ~Identifier();  // does not wait for a file that hangs

  void ask(const IdentifyPlan& plan);
  int fd() const;  // readable when there are answers
  std::vector<Identified> take();
  Counts counts() const;

 private:
  struct Work;
  explicit Identifier(std::shared_ptr<Work> work) : work_(std::move(work)) {}

  std::shared_ptr<Work> work_;  // the thread's too: it may outlive us
};

}  // namespace aa
