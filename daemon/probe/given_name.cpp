#include "probe/given_name.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <deque>

#include "base/clock.h"
#include "base/file_text.h"
#include "base/text.h"

namespace aa {
namespace {

constexpr std::int64_t kCallTakesNs = 2'000'000'000;
constexpr int kMostLinks = 40;  // as many as the kernel follows
constexpr int kMostSteps = 4096;

UniqueFd open_by_folders(const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
  how.resolve = RESOLVE_NO_SYMLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how))));
}

// CLOCK_REALTIME, as file systems have it, of a time since the boot.
std::int64_t wall_ns(std::uint64_t since_boot_ns) {
  return static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME) - (boot_ns() - since_boot_ns));
}

std::deque<std::string> components_of(const std::string& path) {
  std::deque<std::string> parts;
  for (std::string& part : split(path, "/"))
    if (!part.empty()) parts.push_back(std::move(part));
  return parts;
}

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t ns_of(const timespec& time) {
  return time.tv_sec * kSecond + time.tv_nsec;
}

bool was_given(const UniqueFd& file, std::int64_t since_ns) {
  struct stat status {};
  struct stat folder {};
  const std::string place = folder_of(link_text(link_to(file)));
  return ::fstat(file.get(), &status) == 0 && ns_of(status.st_ctim) >= since_ns && !place.empty() &&
         ::stat(place.c_str(), &folder) == 0 && ns_of(folder.st_mtim) >= since_ns;
}

// From the root on, a component at a time.
class Way {
 public:
  Way(const std::string& path, std::int64_t latest_ns) : parts_(components_of(path)), latest_ns_(latest_ns) {}

  GivenName end() {
    restart();
    while (!refused_ && at_ && !parts_.empty()) {
      refused_ = ++steps_ > kMostSteps;
      if (!refused_) step();
    }
    return {refused_ ? UniqueFd() : std::move(at_), refused_};
  }

 private:
  void restart() { at_.reset(::open("/", O_PATH | O_CLOEXEC)); }

  void step() {
    is_settled_ = is_settled_ && is_old(at_);
    const std::string part = std::move(parts_.front());
    parts_.pop_front();
    UniqueFd next(::openat(at_.get(), part.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
    struct stat status {};
    const bool is_link = next && ::fstat(next.get(), &status) == 0 && S_ISLNK(status.st_mode);
    if (is_link && !parts_.empty()) return follow(next);
    at_ = std::move(next);
  }

  void follow(const UniqueFd& link) {
    struct statfs system {};
    // Theirs lead where somebody says, to each who asks, whatever their times are.
    const bool is_told =
        ::fstatfs(link.get(), &system) != 0 || system.f_type == PROC_SUPER_MAGIC || system.f_type == FUSE_SUPER_MAGIC;
    std::string target(PATH_MAX, '\0');
    const ssize_t length = ::readlinkat(link.get(), "", target.data(), target.size());
    refused_ = is_told || !is_settled_ || !is_old(link) || length <= 0 || ++links_ > kMostLinks;
    if (refused_) return;
    target.resize(static_cast<std::size_t>(length));
    const auto parts = components_of(target);
    parts_.insert(parts_.begin(), parts.begin(), parts.end());
    if (target.front() == '/') restart();
  }

  bool is_old(const UniqueFd& file) const {
    struct stat status {};
    return ::fstat(file.get(), &status) == 0 && ns_of(status.st_ctim) <= latest_ns_;
  }

  std::deque<std::string> parts_;
  std::int64_t latest_ns_;
  UniqueFd at_;
  bool is_settled_ = true;
  bool refused_ = false;
  int links_ = 0;
  int steps_ = 0;
};

bool climbs_out(const std::string& path) {
  return std::ranges::count(components_of(path), "..") > 0;
}

}  // namespace

GivenName open_given(const std::string& path, const std::string& root, std::uint64_t boot_ns) {
  if (!root.empty() && climbs_out(path)) return {UniqueFd(), true};
  const std::int64_t begin_ns = wall_ns(boot_ns) - kCallTakesNs;
  GivenName given{open_by_folders(path)};
  if (!given.file) {
    if (errno == ENOENT || errno == ENOTDIR) return given;
    if (errno != ELOOP || !root.empty()) return {UniqueFd(), true};  // in a chroot a symlink leads elsewhere
    given = Way(path, begin_ns).end();
  }
  if (given.file && !was_given(given.file, begin_ns)) return {UniqueFd(), true};
  return given;
}

}  // namespace aa
