#include "config/import_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/file_text.h"
#include "base/unique_fd.h"
#include "config/read_file.h"

namespace aa {
namespace {

constexpr std::size_t kMostImported = 256 * 1024;

// This thread's rights on files, while it lives: the C library would change those of all threads.
class ActingAs {
 public:
  explicit ActingAs(const Reader& reader) : groups_(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr)))) {
    groups_.resize(
        static_cast<std::size_t>(std::max(0, ::getgroups(static_cast<int>(groups_.size()), groups_.data()))));
    good_ = ::syscall(SYS_setgroups, 0, nullptr) == 0;
    ::syscall(SYS_setfsgid, reader.gid);
    ::syscall(SYS_setfsuid, reader.uid);
    good_ = good_ && ::syscall(SYS_setfsuid, reader.uid) == static_cast<long>(reader.uid);  // tells what it was before
  }
  ~ActingAs() {
    ::syscall(SYS_setfsuid, ::geteuid());
    ::syscall(SYS_setfsgid, ::getegid());
    ::syscall(SYS_setgroups, groups_.size(), groups_.data());
  }
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;

  bool good() const { return good_; }

 private:
  std::vector<gid_t> groups_;
  bool good_ = false;
};

// Only named yet: to open a device for reading can do something already.
UniqueFd find_below(int root, const std::string& path, bool follow) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS | (follow ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str() + 1, &how, sizeof(how))));
}

Result<std::string> read_as_we_are(int root, const std::string& path, bool is_root) {
  const UniqueFd found = find_below(root, path, !is_root);
  if (!found && errno == ENOTDIR) return Error{"is not there", ENOENT, ""};
  if (!found && errno == ELOOP && is_root)
    return Error{"is reached through a symbolic link, which is not followed for root", 0, ""};
  if (!found) return Error{"cannot be opened", errno, ""};
  struct stat status {};
  if (::fstat(found.get(), &status) != 0) return Error{"cannot be examined", errno, ""};
  if (!S_ISREG(status.st_mode)) return Error{"is not a regular file", 0, ""};
  if (is_root && status.st_uid != 0 && (status.st_mode & S_IROTH) == 0)
    return Error{"belongs to another user, and not everybody may read it", 0, ""};
  const UniqueFd fd(::open(link_to(found).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return Error{"cannot be opened", errno, ""};
  return read_all(fd.get(), kMostImported, "is larger than 256 KiB");
}

}  // namespace

Result<std::string> read_import(int root, const std::string& path, const Reader& reader) {
  if (reader.uid == ::geteuid()) return read_as_we_are(root, path, reader.uid == 0);
  const ActingAs reading(reader);
  if (!reading.good()) return Error{"cannot be read with the rights of its user", 0, ""};
  return read_as_we_are(root, path, false);
}

}  // namespace aa
