#include "config/read_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <string>
#include <utility>

#include "base/unique_fd.h"

namespace aa {
namespace {

constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof(text), "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

bool is_ours(const struct stat& status) {
  return status.st_uid == 0 || status.st_uid == ::geteuid();
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

// Opens as open(2) does, but part by part, each in the folder that was opened before it: whatever is put into the way
// meanwhile, what was looked at is what is opened.
class TrustedWalk {
 public:
  explicit TrustedWalk(const std::string& path) { lead_to(std::filesystem::absolute(path)); }

  Result<UniqueFd> open() {
    for (int links = 0; links <= kMostLinks;) {
      struct stat status {};
      if (::fstatat(folder_.get(), ahead_.front().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return cannot_open();
      if (S_ISLNK(status.st_mode)) {
        if (Status followed = follow(status); !followed) return followed.error();
        ++links;
        continue;
      }
      if (ahead_.size() > 1) {
        if (Status entered = enter(); !entered) return entered.error();
        continue;
      }
      if (!S_ISREG(status.st_mode)) return Error{"is not a regular file", 0, {}};
      // O_NONBLOCK: were it a FIFO by now, opening must not wait for its writer.
      UniqueFd file = open_here(O_RDONLY | O_NONBLOCK | O_NOCTTY);
      return file ? Result<UniqueFd>(std::move(file)) : cannot_open();
    }
    return Error{"cannot be opened", ELOOP, {}};
  }

 private:
  static constexpr int kMostLinks = 40;  // as the kernel

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
  std::deque<std::string> ahead_;  // the parts that are still to be walked; never empty
};

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t most_bytes) {
  const Result<UniqueFd> file = TrustedWalk(path).open();
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
