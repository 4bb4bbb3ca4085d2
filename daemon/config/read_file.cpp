#include "config/read_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

#include "base/trusted_open.h"

namespace aa {
namespace {

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof(text), "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

Status check_trust(const struct stat& status) {
  if (!is_ours(status))
    return Error{"belongs to the user " + std::to_string(status.st_uid) +
                     ", who could write anything into it; give it to root: chown root",
                 0,
                 {}};
  if ((status.st_mode & kOthersWrite) != 0)
    return Error{"can be written by others (mode " + octal(status.st_mode) + "); take that away: chmod go-w", 0, {}};
  return Done{};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t most_bytes) {
  const Result<UniqueFd> file = open_trusted_file(path);
  if (!file) return file.error();
  const UniqueFd& fd = *file;
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return Error{"cannot be examined", errno, {}};
  if (!S_ISREG(status.st_mode)) return Error{"is not a regular file", 0, {}};
  if (Status trusted = check_trust(status); !trusted) return trusted.error();
  return read_all(fd.get(), most_bytes,
                  "is larger than " + std::to_string(most_bytes >> 20) + " MiB: hardly a configuration");
}

Result<std::string> read_all(int fd, std::size_t most_bytes, const std::string& too_large) {
  std::string text;
  for (char buffer[16 * 1024];;) {
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{"cannot be read", errno, {}};
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > most_bytes) return Error{too_large, 0, {}};
  }
}

Status check_folder(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return Error{"cannot be examined", errno, {}};
  if (!S_ISDIR(status.st_mode)) return Error{"is not a folder", 0, {}};
  return check_trust(status);
}

}  // namespace aa
