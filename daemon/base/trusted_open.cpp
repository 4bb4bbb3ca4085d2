#include "base/trusted_open.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <filesystem>
#include <utility>

namespace aa {

bool is_ours(const struct stat& status) {
  return status.st_uid == 0 || status.st_uid == ::geteuid();
}

namespace {

// Opens as open(2) does, but part by part, each in the folder that was opened before it: whatever is put into the way
// meanwhile, what was looked at is what is opened.
class TrustedWalk {
 public:
  explicit TrustedWalk(const std::string& path) { lead_to(std::filesystem::absolute(path)); }

  Result<UniqueFd> open_file() {
    const Result<mode_t> mode = walk(1);
    if (!mode) return mode.error();
    if (!S_ISREG(*mode)) return Error{"is not a regular file", 0, {}};
    // O_NONBLOCK: were it a FIFO by now, opening must not wait for its writer.
    UniqueFd file = open_here(O_RDONLY | O_NONBLOCK | O_NOCTTY);
    return file ? Result<UniqueFd>(std::move(file)) : cannot_open();
  }

  Result<UniqueFd> open_folder() {
    if (const Result<mode_t> mode = walk(0); !mode) return mode.error();
    return std::move(folder_);
  }

 private:
  static constexpr int kMostLinks = 40;  // as the kernel

  // Until so many parts are left; what kind the next of them is, were it the last.
  Result<mode_t> walk(std::size_t left) {
    for (int links = 0; links <= kMostLinks;) {
      if (ahead_.empty()) return mode_t{S_IFDIR};
      struct stat status {};
      if (::fstatat(folder_.get(), ahead_.front().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return cannot_open();
      if (S_ISLNK(status.st_mode)) {
        if (Status followed = follow(status); !followed) return followed.error();
        ++links;
      } else if (ahead_.size() > left) {
        if (Status entered = enter(); !entered) return entered.error();
      } else {
        return status.st_mode;
      }
    }
    return Error{"cannot be opened", ELOOP, {}};
  }

  static Error cannot_open() { return {"cannot be opened", errno, {}}; }

  UniqueFd open_here(int how) const {
    return UniqueFd(::openat(folder_.get(), ahead_.front().c_str(), how | O_NOFOLLOW | O_CLOEXEC));
  }

  void lead_to(const std::filesystem::path& path) {
    if (path.is_absolute()) {
      folder_.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
      at_ = "/";
    }
    const std::filesystem::path parts = path.relative_path();
    ahead_.insert(ahead_.begin(), parts.begin(), parts.end());
    if (ahead_.empty()) ahead_.emplace_back();
    if (ahead_.back().empty()) ahead_.back() = ".";  // the root, or a slash at the end
  }

  Status enter() {
    UniqueFd next = open_here(O_PATH | O_DIRECTORY);
    if (!next) return cannot_open();
    folder_ = std::move(next);
    at_ = ahead_.front() == ".." ? at_.parent_path() : at_ / ahead_.front();
    ahead_.pop_front();
    return Done{};
  }

  // A link that others made, or that lies where they can put another in its place, may lead anywhere.
  Status follow(const struct stat& link) {
    const std::string path = at_ / ahead_.front();
    struct stat folder {};
    if (::fstat(folder_.get(), &folder) != 0) return Error{"cannot be examined", errno, {}};
    if (!is_ours(link))
      return Error{
          "leads through the symbolic link " + path + ", which belongs to the user " + std::to_string(link.st_uid),
          0,
          {}};
    if (!is_ours(folder) || (folder.st_mode & kOthersWrite) != 0)
      return Error{"leads through the symbolic link " + path + ", in a folder that others can write to", 0, {}};
    char target[PATH_MAX];
    const ssize_t length = ::readlinkat(folder_.get(), ahead_.front().c_str(), target, sizeof(target));
    if (length < 0) return cannot_open();
    ahead_.pop_front();
    lead_to(std::string(target, static_cast<std::size_t>(length)));
    return Done{};
  }

  UniqueFd folder_;
  std::filesystem::path at_;       // its path, to be shown
  std::deque<std::string> ahead_;  // the parts that are still to be walked
};

}  // namespace

Result<UniqueFd> open_trusted_file(const std::string& path) {
  return TrustedWalk(path).open_file();
}

Result<UniqueFd> open_trusted_folder(const std::string& path) {
  return TrustedWalk(path).open_folder();
}

}  // namespace aa
