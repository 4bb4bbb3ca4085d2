#include "config/import_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "config/read_file.h"

namespace aa {
namespace {

constexpr std::size_t kMostBytes = 256 * 1024;

UniqueFd open_below(int root, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str() + 1, &how, sizeof(how))));
}

}  // namespace

Result<std::string> read_import(int root, const std::string& path, std::uint32_t uid) {
  const UniqueFd fd = open_below(root, path);
  if (!fd && errno == ENOTDIR) return Error{"is not there", ENOENT, ""};
  if (!fd && errno == ELOOP) return Error{"is reached through a symbolic link, which is not followed", 0, ""};
  if (!fd) return Error{"cannot be opened", errno, ""};
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return Error{"cannot be examined", errno, ""};
  if (!S_ISREG(status.st_mode)) return Error{"is not a regular file", 0, ""};
  if (status.st_uid != uid && (status.st_mode & S_IROTH) == 0)
    return Error{"belongs to another user, and not everybody may read it", 0, ""};
  return read_all(fd.get(), kMostBytes, "is larger than 256 KiB");
}

}  // namespace aa
