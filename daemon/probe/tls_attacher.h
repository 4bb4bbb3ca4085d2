// probe/tls_attacher.h: the TLS family's programs put at the places of one library.
//
// Comes in: programs that are loaded, a library, and a process or all. Goes out: links, which keep it attached, or what
// the kernel refused. It owns its share of the programs and nothing else, so that it may run beside the loop, and
// longer.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "probe/libbpf_handles.h"
#include "probe/tls_library.h"

namespace aa {

// Of a system call of our own, or libbpf's.
using TlsLinks = std::vector<std::pair<UniqueFd, LinkPtr>>;

// The last descriptors are left to others: who brings libraries must not keep subscribers out. The kernel gives the
// lowest that is free.
bool is_one_of_the_last(int descriptor);

namespace tls_programs {
inline constexpr const char* kEnter = "aa_tls_enter";
inline constexpr const char* kReturn = "aa_tls_return";
inline constexpr const char* kEnd = "aa_tls_end";
}  // namespace tls_programs

class TlsAttacher {
 public:
  struct Attached {
    Status status;
    TlsLinks links;  // none when it failed
  };

  TlsAttacher() = default;
  TlsAttacher(std::shared_ptr<bpf_object> object, bool multi) : object_(std::move(object)), multi_(multi) {}

  // `pid` 0: in all processes. Cost: 5 to 20 ms.
  Attached attach(const TlsLibrary& library, std::uint32_t pid) const;
  // One program at some places. `path` may be of /proc/self/fd.
  Status attach_sites(const char* program, const std::string& path, const std::vector<TlsSite>& sites,
                      std::uint32_t pid, TlsLinks& links) const;

 private:
  Status attach_all(const TlsLibrary& library, std::uint32_t pid, TlsLinks& links) const;
  bpf_program* program_for(const char* name, const TlsSite& site) const;

  std::shared_ptr<bpf_object> object_;
  bool multi_ = false;
};

}  // namespace aa
