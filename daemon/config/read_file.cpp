#include "config/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace aa {

Result<std::string> read_file(const std::string& path, std::size_t most_bytes) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return Error{"cannot be opened", errno, {}};
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return Error{"cannot be examined", errno, {}};
  if (!S_ISREG(status.st_mode)) return Error{"is not a regular file", 0, {}};
  std::string text;
  for (char buffer[16 * 1024];;) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{"cannot be read", errno, {}};
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > most_bytes)
      return Error{"is larger than " + std::to_string(most_bytes >> 20) + " MiB: hardly a configuration", 0, {}};
  }
}

}  // namespace aa
