#include "base/file_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace aa {

std::string file_text(const std::string& path, std::size_t limit) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> part{};
  while (file && text.size() < limit) {
    const ssize_t length = ::read(file.get(), part.data(), part.size());
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(length));
  }
  if (text.size() > limit) text.resize(limit);
  return text;
}

std::string link_to(const UniqueFd& file) {
  return "/proc/self/fd/" + std::to_string(file.get());
}

std::string link_text(const std::string& path) {
  std::array<char, 4097> text{};
  const ssize_t length = ::readlink(path.c_str(), text.data(), text.size());
  return length <= 0 ? "" : std::string(text.data(), static_cast<std::size_t>(length));
}

}  // namespace aa
