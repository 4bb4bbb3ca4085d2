// probe/tls_family.h: the TLS family's programs: loaded over the shared maps, attached to libraries.
//
// Comes in: sizes before load, and libraries to attach to, each once by device and inode. Goes out: a ring for the
// source, and one ProbeBody a library. Attached stays attached while the file is there, whoever maps it: what runs in
// processes that nobody watches pays for a trap. A family that does not load is a state with a reason; everything else
// runs on.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "event/event.h"
#include "probe/libbpf_handles.h"
#include "probe/mapped_map.h"
#include "probe/shared_maps.h"
#include "probe/tls_library.h"

namespace aa {

enum class TlsHooks { automatic, uprobe_multi, uprobe };  // automatic: the first of these that the kernel takes

struct TlsFamilySettings {
  bool on = true;
  std::uint32_t ring_bytes = 8u << 20;
  std::uint32_t call_bytes = 1u << 20;  // taken of one call at most
  std::uint32_t calls = 16'384;         // under way at once
  std::uint32_t connections = 16'384;   // living at once
  TlsHooks hooks = TlsHooks::automatic;
  bool return_probes = true;  // the kernel's may be used, where they harm nobody
};

class TlsFamily {
 public:
  // Never fails as a whole: without programs, states() says why and ring_fd() is −1. When it runs, it is attached to
  // the function of tls_trial.h, for the self-test.
  static std::unique_ptr<TlsFamily> make(const TlsFamilySettings& settings, const SharedMaps& shared);
  ~TlsFamily();

  bool runs() const { return object_ != nullptr; }
  int ring_fd() const;

  // Attaches to everything of the file that has programs. True: there is a state more, which says which places were
  // chosen, or why a file with a TLS library's name cannot be attached to. False, and nothing happens, when it is no
  // TLS library or was met before. `name` is for people. Cost: 5 to 20 ms.
  bool attach(const std::string& path, const std::string& name);
  // A file that is rewritten in place is let go of at once, for its functions may lie elsewhere now, and looked into
  // again when its writer has closed it. Readable when there is something to take; −1 without programs.
  int changes_fd() const { return changes_.get(); }
  bool take_changes();  // true: a state has changed
  // How the file is attached to; null when it is not.
  const ProbeBody* state_of(const std::string& path) const;

  // The sockets around calls are looked at only while something is watched.
  void set_watching(bool on);
  // The reader has read everything and goes to wait: the next record wakes it.
  void set_reader_idle();
  // Takes out what processes that are gone left behind. Cost: two system calls for each call and connection.
  void sweep(std::uint64_t now_boot_ns);
  // Attached is not firing: the self-test did not see its own bytes arrive.
  void mark_not_firing(const std::string& reason);

  std::vector<ProbeBody> states() const { return states_; }
  std::uint64_t recursion_misses() const;

 private:
  using Links = std::vector<std::pair<UniqueFd, LinkPtr>>;
  // A file that was met.
  struct Met {
    std::size_t state = 0;  // its place in states_
    UniqueFd file;
    int watch = -1;  // inotify's number
    bool written = false;
    Links links;
  };
  TlsFamily() = default;
  Status open(const TlsFamilySettings& settings, const SharedMaps& shared);
  Status load(const TlsFamilySettings& settings, const SharedMaps& shared, bool sockets);
  Status try_out();
  Status attach_trial(const char* end, std::uint64_t end_offset);
  TlsPlaces places() const;
  Met* meet(const std::string& path, const std::string& name);
  void listen(Met& met, const Result<std::optional<TlsLibrary>>& library);
  Status attach_all(const TlsLibrary& library, Links& links);
  Status attach_sites(const char* program, const std::string& path, const std::vector<TlsSite>& sites, Links& links);
  bpf_program* program_for(const char* name, const TlsSite& site) const;
  void take_change(Met& met, std::uint32_t mask);
  void sweep_calls();
  void sweep_connections(std::uint64_t now_boot_ns);
  bool is_gone(std::uint32_t tgid, std::uint64_t start_ns) const;
  int map_fd(const char* name) const;

  std::unique_ptr<bpf_object, void (*)(bpf_object*)> object_{nullptr, &bpf_object__close};
  MappedMap settings_map_;
  bool multi_ = false;
  bool return_probes_ = true;
  Links trial_links_;
  std::vector<LinkPtr> socket_links_;
  UniqueFd changes_;
  std::map<std::pair<dev_t, ino_t>, Met> met_;
  std::vector<ProbeBody> states_;
};

}  // namespace aa
