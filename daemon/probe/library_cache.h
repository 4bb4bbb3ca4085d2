// probe/library_cache.h: which file the loader takes for a library's name.
//
// Comes in: the bytes of /etc/ld.so.cache (glibc's, format 1.1), untrusted. Goes out: paths. Knows no file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aa {

// Paths of the libraries whose name begins with `stem` ("libssl.so"), in the cache's order; none of bytes that are no
// such cache.
std::vector<std::string> cached_libraries(std::string_view cache, std::string_view stem);

}  // namespace aa
