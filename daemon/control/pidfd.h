// control/pidfd.h: what process a descriptor from a caller names.
//
// Comes in: a descriptor nobody has checked. Goes out: a pid in our pid namespace, or Refused. One read of
// /proc/self/fdinfo.
#pragma once

#include <cstdint>
#include <memory>

#include "base/unique_fd.h"

namespace aa {

struct PidfdProcess {
  std::uint32_t pid = 0;
  std::shared_ptr<const UniqueFd> pidfd;  // our own copy, close-on-exec (sdbus-c++ copies without it)
};

// Refused: InvalidArgument when it is not a pidfd, NoSuchProcess when its process is gone, Failed when it cannot be
// copied.
PidfdProcess resolve_pidfd(int fd);

}  // namespace aa
