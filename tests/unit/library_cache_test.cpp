// The loader's cache: as glibc writes it, and cut anywhere.
#include "probe/library_cache.h"

#include <cstdint>
#include <cstring>

#include "support/catch.h"

using namespace aa;

namespace {

void put(std::string& out, std::uint32_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Names and paths, in glibc's format 1.1.
std::string cache_of(const std::vector<std::pair<std::string, std::string>>& libraries) {
  constexpr std::size_t kHead = 48, kEntry = 24;
  std::string strings, entries;
  const auto begin = static_cast<std::uint32_t>(kHead + libraries.size() * kEntry);
  for (const auto& [name, path] : libraries) {
    put(entries, 0x303);
    put(entries, begin + static_cast<std::uint32_t>(strings.size()));
    strings += name + '\0';
    put(entries, begin + static_cast<std::uint32_t>(strings.size()));
    strings += path + '\0';
    put(entries, 0);
    put(entries, 0);
    put(entries, 0);
  }
  std::string out = "glibc-ld.so.cache1.1";
  put(out, static_cast<std::uint32_t>(libraries.size()));
  put(out, static_cast<std::uint32_t>(strings.size()));
  out.append(20, '\0');
  return out + entries + strings;
}

}  // namespace

TEST_CASE("library cache: the files behind a name are found, also after a part of an older format") {
  const std::string cache = cache_of({{"libssl.so.3", "/lib/libssl.so.3"},
                                      {"libc.so.6", "/lib/libc.so.6"},
                                      {"libssl.so.1.1", "/opt/my libs/libssl.so.1.1"}});
  const std::vector<std::string> both = {"/lib/libssl.so.3", "/opt/my libs/libssl.so.1.1"};
  CHECK(cached_libraries(cache, "libssl.so") == both);
  CHECK(cached_libraries("ld.so-1.7.0" + std::string(5, '\0') + cache, "libssl.so") == both);
  CHECK(cached_libraries(cache, "libgnutls.so").empty());
}

TEST_CASE("library cache: bytes that are none, and one cut anywhere, give nothing wrong") {
  CHECK(cached_libraries("", "libssl.so").empty());
  CHECK(cached_libraries("not a cache at all", "libssl.so").empty());
  const std::string whole = cache_of({{"libssl.so.3", "/lib/libssl.so.3"}});
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(cached_libraries(whole.substr(0, size), "libssl").empty());
  std::string wild = whole;
  wild.replace(20, 4, std::string(4, '\xFF'));
  CHECK(cached_libraries(wild, "libssl").size() == 1);
}
