#include "probe/library_cache.h"

#include <cstdint>
#include <cstring>

namespace aa {
namespace {

constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";

// sysdeps/generic/dl-cache.h
struct Head {
  char magic[20];
  std::uint32_t libraries;
  std::uint32_t string_bytes;
  std::uint32_t unused[5];
};
struct Entry {
  std::int32_t flags;
  std::uint32_t name;  // from the head's beginning
  std::uint32_t path;
  std::uint32_t os_version;
  std::uint64_t capabilities;
};

std::string_view text_at(std::string_view cache, std::size_t at) {
  if (at >= cache.size()) return {};
  const std::string_view rest = cache.substr(at);
  const std::size_t end = rest.find('\0');
  return end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
}

}  // namespace

std::vector<std::string> cached_libraries(std::string_view cache, std::string_view stem) {
  std::vector<std::string> paths;
  const std::size_t begin = cache.find(kMagic);  // an older format may come before it
  if (begin == std::string_view::npos) return paths;
  cache.remove_prefix(begin);
  Head head;
  if (cache.size() < sizeof(head)) return paths;
  std::memcpy(&head, cache.data(), sizeof(head));
  for (std::size_t i = 0; i < head.libraries; ++i) {
    Entry entry;
    const std::size_t at = sizeof(head) + i * sizeof(entry);
    if (at + sizeof(entry) > cache.size()) return paths;
    std::memcpy(&entry, cache.data() + at, sizeof(entry));
    const std::string_view path = text_at(cache, entry.path);
    if (text_at(cache, entry.name).starts_with(stem) && path.starts_with('/')) paths.emplace_back(path);
  }
  return paths;
}

}  // namespace aa
