// probe/tls_library.h: files that carry a TLS library, recognised by what they export, and where to attach in them.
//
// Comes in: open files. Goes out: a TlsLibrary, or what stands in the way. What a library is made of is a row of a
// table: the functions of bpf/abi/tls.h, and an object's life. Where in a function is probe_sites.h's to choose.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace aa {

// A place to attach: an offset in the file, and the cookie the program gets: a row (of AA_TLS_FUNCTIONS, or
// AA_TLS_LIFE_*), how deep the stack is there, whether others come there too, and which reading of the file found it.
struct TlsSite {
  std::uint64_t offset = 0;
  std::uint32_t row = 0;
  std::uint32_t depth = 0;
  bool shared = false;
  std::uint32_t listening = 0;

  std::uint64_t cookie() const;
};

// Where the kernel's return probes may stand: they kill who changes stacks inside of a call. A maker calls nobody back.
enum class TlsReturnProbes { nowhere, makers, anywhere };  // makers: where its own returns cannot be found

struct TlsPlaces {
  TlsReturnProbes return_probes = TlsReturnProbes::makers;
  bool depths = true;           // programs get cookies, as this kernel allows
  std::uint32_t listening = 0;  // how often it was rewritten: connections of before go on as others
};

struct TlsLibrary {
  UniqueFd file;                               // O_PATH: closing it asks nobody
  std::array<std::uint8_t, 4> first_begin{};   // what the file has where the first of `begins` is
  std::vector<TlsSite> begins, returns, ends;  // of functions; each has a return probe, or ends
  std::vector<TlsSite> life;
  std::vector<TlsSite> maker_returns, maker_ends;  // of the function whose result is a new object
  std::vector<std::string> missing;                // what every version of it should export, and this does not
  std::vector<std::string> unseen;                 // functions whose ends cannot be seen, and why: they are left out
  std::map<std::string, std::vector<std::string>> chosen;  // by what was chosen ("branch + canary"): functions
};

// A file that nobody may answer for: see Patience. nullopt: it carries no TLS library that exports its functions.
// Error: it cannot be read, or is no ELF file of this machine's.
Result<std::optional<TlsLibrary>> read_tls_library(const std::string& path, const TlsPlaces& places);

// As the loader calls them: "libssl.so.3".
bool is_tls_library_name(std::string_view file_name);

// What can be attached to before anybody runs: the loader's libraries, and programs known to carry their own.
std::vector<std::string> usual_tls_libraries();

}  // namespace aa
