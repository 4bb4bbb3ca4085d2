// probe/self_test.h: attached is not firing: one child does each thing once, and what does not arrive is said.
//
// Comes in: the records of slot 0. Goes out: programs that were attached but stayed silent. Runs once, at boot, before
// any other thread exists. Cost: one fork, one fork+exec of our own binary, some thirty file operations.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "event/event.h"
#include "probe/exec_family.h"
#include "probe/file_family.h"
#include "probe/kernel_state.h"
#include "probe/tls_family.h"

namespace aa {

class SelfTest {
 public:
  SelfTest(ExecFamily& family, FileFamily& files, TlsFamily& tls, KernelState& kernel)
      : family_(family), files_(files), tls_(tls), kernel_(kernel) {}

  // True when the event was the self-test's own: it goes no further.
  bool saw(const Event& event);

  // Does the things; `drain` must hand every waiting record to saw(). Error: the child could not be started or
  // enrolled.
  Status run(const std::function<void()>& drain);

 private:
  struct Seen {
    bool fork = false;
    bool exec = false;
    bool failed_exec = false;
    bool exit = false;
    bool file = false;  // a descriptor's path
    bool tls = false;   // the bytes of our own function
  };
  ExecFamily& family_;
  FileFamily& files_;
  TlsFamily& tls_;
  KernelState& kernel_;
  bool running_ = false;
  Seen seen_;
};

}  // namespace aa
