#include "base/file_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

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

}  // namespace aa
