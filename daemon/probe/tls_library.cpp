#include "probe/tls_library.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string_view>

#include "abi/tls.h"
#include "base/file_text.h"
#include "event/tls_functions.h"
#include "probe/bio_methods.h"
#include "probe/elf_symbols.h"
#include "probe/library_cache.h"
#include "probe/machine_code.h"
#include "probe/probe_sites.h"

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

// A method of OpenSSL's BIO: the first row of several whose function the file exports.
struct Method {
  std::uint32_t row;
  BioMethod method;
  const char* like;
};

// One kind of library. `needed`: what all its versions export; the rest came or went with a version.
struct Provider {
  std::string_view stem;    // of the library's file name
  std::string_view prefix;  // of its functions
  std::array<const char*, 2> signs;
  std::vector<const char*> needed;
  const char* maker;  // null: none gives the object as its result
  std::vector<Function> life;
  std::vector<Method> methods;
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
                {AA_TLS_LIFE_FD, "SSL_set_fd"}},
               {{AA_TLS_BIO_READ, BioMethod::read, "SSL_read_ex"},
                {AA_TLS_BIO_WRITE2, BioMethod::write, "SSL_write_ex2"},
                {AA_TLS_BIO_WRITE, BioMethod::write, "SSL_write_ex"}}},
      Provider{"libgnutls.so",
               "gnutls_",
               {"gnutls_record_send", "gnutls_record_recv"},
               {"gnutls_record_send2", "gnutls_record_recv", "gnutls_init", "gnutls_handshake", "gnutls_deinit"},
               nullptr,
               {{AA_TLS_LIFE_FREE, "gnutls_deinit"},
                {AA_TLS_LIFE_BEGIN, "gnutls_handshake"},
                {AA_TLS_LIFE_FD, "gnutls_transport_set_int2"},
                {AA_TLS_LIFE_FD, "gnutls_transport_set_ptr"}},
               {}}};
  return all;
}

constexpr std::array kPrograms = {"/usr/bin/node", "/usr/local/bin/node", "/usr/bin/nodejs"};

bool exports(const ElfSymbols& symbols, const Provider& provider) {
  return std::all_of(provider.signs.begin(), provider.signs.end(),
                     [&](const char* name) { return symbols.function(name).has_value(); });
}

// ---- one file ----

constexpr std::uint64_t kMostCode = 64 * 1024;  // of one function

constexpr std::uint32_t bit(std::uint32_t number) {
  return 1u << number;
}

// Registers that the programs read at a function's beginning (bpf/tls.bpf.c).
constexpr std::uint32_t kNeedsINT = bit(kRdi) | bit(kRsi), kNeedsLONG = kNeedsINT, kNeedsFILE = kNeedsINT;
constexpr std::uint32_t kNeedsOUT4 = kNeedsINT | bit(kRcx), kNeedsEARLY = kNeedsOUT4;
constexpr std::uint32_t kNeedsSENT = bit(kRdi), kNeedsMADE = kNeedsSENT;
constexpr std::uint32_t kNeedsOUT5 = kNeedsINT | bit(kR8);
constexpr std::array kArguments = {
#define AA_TLS_NEEDED(id, short, name, direction, result) kNeeds##result,
    AA_TLS_FUNCTIONS(AA_TLS_NEEDED)
#undef AA_TLS_NEEDED
};

// What of a file becomes places: read once, function by function.
class Reader {
 public:
  Reader(TlsLibrary& library, int file, const ElfSymbols& symbols, const TlsPlaces& places)
      : library_(library), file_(file), symbols_(symbols), places_(places) {}

  void take(const Provider& provider) {
    for (const Function& function : kFunctions)
      if (const auto found = symbols_.function(function.name)) probed_.insert(found->offset);
    for (const Function& function : kFunctions)
      if (std::string_view(function.name).starts_with(provider.prefix)) take_function(function);
    for (const Function& function : provider.life) take_life(function);
    take_methods(provider.methods);
    if (provider.maker != nullptr) take_maker(provider.maker);
    for (const char* name : provider.needed)
      if (!symbols_.function(name)) library_.missing.emplace_back(name);
  }

 private:
  void take_function(const Function& function) {
    const auto found = symbols_.function(function.name);
    if (!found) return;
    const ProbeChoice choice = choose(*found, {.arguments = kArguments.at(function.row), .return_probes = anywhere()});
    const bool jumps = !choice.trouble.empty() && is_a_jump(function.name);
    library_.chosen[jumps ? "goes on to another" : choice.how].emplace_back(function.name);
    if (choice.skip || jumps) return;
    if (!choice.trouble.empty()) {
      library_.unseen.push_back(std::string(function.name) + ": " + choice.trouble);
      return;
    }
    const TlsSite begin = site(*found, choice.begin, function.row);
    library_.begins.push_back(begin);
    if (choice.return_probe) library_.returns.push_back(begin);
    for (const ProbePlace& place : choice.ends) library_.ends.push_back(site(*found, place, function.row));
  }

  void take_life(const Function& function) {
    const auto found = symbols_.function(function.name);
    if (!found) return;
    const std::uint32_t needed = function.row == AA_TLS_LIFE_FD ? bit(kRdi) | bit(kRsi) : bit(kRdi);
    library_.life.push_back(
        site(*found, choose(*found, {.arguments = needed, .end = false, .return_probes = false}).begin, function.row));
  }

  void take_maker(const char* name) {
    const auto found = symbols_.function(name);
    if (!found) return;
    ProbeChoice choice = choose(*found, {.begin = false, .return_probes = anywhere()});
    if (!choice.trouble.empty() && places_.return_probes == TlsReturnProbes::makers)
      choice = choose(*found, {.begin = false, .return_probes = true});
    if (!choice.trouble.empty()) library_.unseen.push_back(std::string(name) + ": " + choice.trouble);
    if (choice.return_probe) library_.maker_returns.push_back(site(*found, choice.begin, 0));
    if (choice.trouble.empty())
      for (const ProbePlace& place : choice.ends) library_.maker_ends.push_back(site(*found, place, 0));
  }

  // Only who has the whole BIO can have called one.
  void take_methods(const std::vector<Method>& methods) {
    if (!symbols_.function("BIO_f_ssl")) return;
    std::set<BioMethod> taken;
    for (const Method& method : methods)
      if (const auto like = symbols_.function(method.like); like && taken.insert(method.method).second)
        take_method(method, *like);
  }

  void take_method(const Method& method, const ElfFunction& like) {
    const std::string name(tls_function(static_cast<std::uint8_t>(method.row))->name);
    const auto found = find_bio_call(symbols_, method.method, like,
                                     [&](std::uint64_t offset, std::size_t count) { return bytes(offset, count); });
    if (!found && symbols_.is_program()) {
      library_.chosen["not found"].push_back(name);  // nor missed: a program that has OpenSSL inside calls it directly
      return;
    }
    if (!found) {
      library_.unseen.push_back(name + ": " + found.error().doing);
      return;
    }
    library_.chosen["call + what follows"].push_back(name);
    library_.begins.push_back({found->call, method.row, 0, false, places_.listening});
    library_.ends.push_back({found->next, method.row, 0, false, places_.listening});
  }

  // By OpenSSL's source from 3.3 on; where its place is only known to the loader the code does not show it.
  bool is_a_jump(std::string_view name) const {
    return name == "SSL_write_ex" && symbols_.function("SSL_write_ex2").has_value();
  }

  TlsSite site(const ElfFunction& function, const ProbePlace& place, std::uint32_t row) const {
    return {function.offset + static_cast<std::uint64_t>(place.offset), row, place.depth, place.shared,
            places_.listening};
  }

  bool anywhere() const { return places_.return_probes == TlsReturnProbes::anywhere; }

  ProbeChoice choose(const ElfFunction& function, ProbeNeeds needs) const {
    needs.depths = places_.depths;
    const auto place = [&](std::int64_t at) { return function.offset + static_cast<std::uint64_t>(at); };
    CodeElsewhere elsewhere;
    elsewhere.bytes = [&](std::int64_t at, std::size_t count) { return bytes(place(at), count); };
    elsewhere.is_probed = [&](std::int64_t at) { return probed_.contains(place(at)); };
    const std::uint64_t size = function.bytes <= kMostCode ? function.bytes : 0;
    return choose_probes(bytes(function.offset, size), needs, elsewhere);
  }

  std::vector<std::uint8_t> bytes(std::uint64_t offset, std::size_t count) const {
    std::vector<std::uint8_t> out(count);
    const ssize_t length = ::pread(file_, out.data(), count, static_cast<off_t>(offset));
    out.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return out;
  }

  TlsLibrary& library_;
  int file_;
  const ElfSymbols& symbols_;
  TlsPlaces places_;
  std::set<std::uint64_t> probed_;
};

}  // namespace

std::uint64_t TlsSite::cookie() const {
  return std::uint64_t{listening} << 32 | AA_TLS_COOKIE(row, depth) | (shared ? AA_TLS_SHARED : 0);
}

Result<std::optional<TlsLibrary>> read_tls_library(const std::string& path, const TlsPlaces& places) {
  TlsLibrary library;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return Error{"open " + path, errno, ""};
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return Error{"read " + path, errno, ""};
  if (!S_ISREG(status.st_mode)) return Error{"read " + path + ": it is not a file", 0, ""};
  library.file.reset(::open(link_to(file).c_str(), O_PATH | O_CLOEXEC));
  if (!library.file) return Error{"open " + path, errno, ""};
  auto symbols = ElfSymbols::open(file.get());
  if (!symbols) return symbols.error();
  bool found = false;
  for (const Provider& provider : providers()) {
    if (!exports(*symbols, provider)) continue;
    Reader(library, file.get(), *symbols, places).take(provider);
    found = true;
  }
  if (!found) return std::optional<TlsLibrary>();
  if (!library.begins.empty()) {
    auto& bytes = library.first_begin;
    const auto at = static_cast<off_t>(library.begins.front().offset);
    if (::pread(file.get(), bytes.data(), bytes.size(), at) != sizeof(bytes)) return Error{"read " + path, errno, ""};
  }
  return std::optional(std::move(library));
}

bool is_tls_library_name(std::string_view file_name) {
  return std::any_of(providers().begin(), providers().end(),
                     [&](const Provider& provider) { return file_name.starts_with(provider.stem); });
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
