#include "probe/tls_library.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "abi/tls.h"
#include "base/file_text.h"
#include "probe/elf_symbols.h"
#include "probe/library_cache.h"

namespace aa {
namespace {

struct Function {
  std::uint32_t row;
  const char* name;
};
constexpr std::array kFunctions = {
#define AA_TLS_NAME(id, short, name, direction, result) Function{AA_TLS_##id, name},
    AA_TLS_FUNCTIONS(AA_TLS_NAME)
#undef AA_TLS_NAME
};

// One kind of library. `needed`: what all its versions export; the rest came or went with a version.
struct Provider {
  std::string_view stem;    // of the library's file name
  std::string_view prefix;  // of its functions
  std::array<const char*, 2> signs;
  std::vector<const char*> needed;
  const char* maker;  // null: none gives the object as its result
  std::vector<Function> life;
};
const std::array<Provider, 2>& providers() {
  static const std::array<Provider, 2> all = {
      Provider{"libssl.so",
               "SSL_",
               {"SSL_read", "SSL_write"},
               {"SSL_read", "SSL_write", "SSL_new", "SSL_free", "SSL_clear"},
               "SSL_new",
               {{AA_TLS_LIFE_FREE, "SSL_free"},
                {AA_TLS_LIFE_CLEAR, "SSL_clear"},
                {AA_TLS_LIFE_UP_REF, "SSL_up_ref"},
                {AA_TLS_LIFE_FD, "SSL_set_fd"}}},
      Provider{"libgnutls.so",
               "gnutls_",
               {"gnutls_record_send", "gnutls_record_recv"},
               {"gnutls_record_send2", "gnutls_record_recv", "gnutls_handshake", "gnutls_deinit"},
               nullptr,
               {{AA_TLS_LIFE_FREE, "gnutls_deinit"},
                {AA_TLS_LIFE_BEGIN, "gnutls_handshake"},
                {AA_TLS_LIFE_FD, "gnutls_transport_set_int2"},
                {AA_TLS_LIFE_FD, "gnutls_transport_set_ptr"}}}};
  return all;
}

constexpr std::array kPrograms = {"/usr/bin/node", "/usr/local/bin/node", "/usr/bin/nodejs"};

bool exports(const ElfSymbols& symbols, const Provider& provider) {
  return std::all_of(provider.signs.begin(), provider.signs.end(),
                     [&](const char* name) { return symbols.function(name).has_value(); });
}

void take(TlsLibrary& library, const ElfSymbols& symbols, const Provider& provider) {
  for (const Function& function : kFunctions) {
    if (!std::string_view(function.name).starts_with(provider.prefix)) continue;
    if (const auto offset = symbols.function(function.name)) library.functions.push_back({*offset, function.row});
  }
  for (const Function& function : provider.life)
    if (const auto offset = symbols.function(function.name)) library.life.push_back({*offset, function.row});
  if (provider.maker != nullptr) library.maker = symbols.function(provider.maker);
  for (const char* name : provider.needed)
    if (!symbols.function(name)) library.missing.emplace_back(name);
}

}  // namespace

Result<std::optional<TlsLibrary>> read_tls_library(const std::string& path) {
  TlsLibrary library;
  library.path = path;
  library.file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!library.file) return Error{"open " + path, errno, ""};
  struct stat status {};
  if (::fstat(library.file.get(), &status) != 0) return Error{"read " + path, errno, ""};
  if (!S_ISREG(status.st_mode)) return Error{"read " + path + ": it is not a file", 0, ""};
  library.device = status.st_dev;
  library.inode = status.st_ino;
  auto symbols = ElfSymbols::open(library.file.get());
  if (!symbols) return Error{path + ": " + symbols.error().doing, 0, ""};
  for (const Provider& provider : providers())
    if (exports(*symbols, provider)) take(library, *symbols, provider);
  if (library.functions.empty()) return std::optional<TlsLibrary>();
  return std::optional(std::move(library));
}

std::vector<std::string> usual_tls_libraries() {
  const std::string cache = file_text("/etc/ld.so.cache");
  std::vector<std::string> paths;
  for (const Provider& provider : providers())
    for (std::string& path : cached_libraries(cache, provider.stem)) paths.push_back(std::move(path));
  paths.insert(paths.end(), kPrograms.begin(), kPrograms.end());
  return paths;
}

}  // namespace aa
