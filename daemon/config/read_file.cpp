#include "config/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

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

// A link that others made, or that lies where they can put another in its place, may lead anywhere. Links are followed
// here as opening follows them: any of them may lead through another.
Status check_links(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr int kMostLinks = 40;  // as the kernel
  fs::path rest = fs::absolute(path), at;
  struct stat folder {};
  for (int links = 0; !rest.empty() && links <= kMostLinks;) {
    const fs::path name = *rest.begin();
    rest = rest.lexically_relative(name);
    if (rest == ".") rest.clear();
    struct stat status {};
    if (::lstat((at / name).c_str(), &status) != 0) return Done{};  // opening will say what is wrong
    if (!S_ISLNK(status.st_mode)) {
      at = name == ".." ? at.parent_path() : at / name;
      folder = status;
      continue;
    }
    if (!is_ours(status) || !is_ours(folder) || (folder.st_mode & kOthersWrite) != 0)
      return Error{"leads through the symbolic link " + (at / name).string() +
                       (is_ours(status) ? ", in a folder that others can write to"
                                        : ", which belongs to the user " + std::to_string(status.st_uid)),
                   0,
                   {}};
    std::error_code error;
    const fs::path target = fs::read_symlink(at / name, error);
    if (error) return Done{};
    rest = rest.empty() ? target : target / rest;
    if (target.is_absolute()) at.clear();
    ++links;
  }
  return Done{};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t most_bytes) {
  if (Status links = check_links(path); !links) return links.error();
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return Error{"cannot be opened", errno, {}};
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
