#include "control/pidfd.h"

#include <fcntl.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <system_error>

#include "control/refuse.h"

namespace aa {

namespace {

// The kernel's own answer. The link text anon_inode:[pidfd] is no test: it changed with pidfs.
long long pid_of(int fd) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(fd));
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("Pid:", 0) == 0) return std::stoll(line.substr(4));
  }
  throw Refused(Fault::invalid_argument, "the descriptor is not a pidfd; open one with pidfd_open(2)");
}

}  // namespace

PidfdProcess resolve_pidfd(int fd) {
  const long long pid = pid_of(fd);
  if (pid < 0) throw Refused(Fault::no_such_process, "the pidfd's process is gone; there is nothing left to watch");
  if (pid == 0) {
    throw Refused(Fault::no_such_process,
                  "the pidfd's process is outside the daemon's pid namespace and cannot be watched");
  }
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) {
    const int err = errno;
    throw Refused(Fault::failed,
                  "the pidfd could not be copied: " + std::generic_category().message(err) + "; try again");
  }
  return {static_cast<std::uint32_t>(pid), std::make_shared<const UniqueFd>(std::move(copy))};
}

}  // namespace aa
