// probe/tls_processes.h: what is attached in one process alone (tls.scope = "watched"), for as long as it lives.
//
// Comes in: the links of one process and one file at a time, and who is gone. Goes out: what a process has.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "event/event.h"
#include "probe/process_maps.h"
#include "probe/tls_attacher.h"
#include "probe/tls_detacher.h"
#include "probe/tls_library.h"

namespace aa {

using FileNumbers = std::pair<dev_t, ino_t>;

class TlsProcesses {
 public:
  struct Row {
    TlsLinks links;
    std::optional<Error> trouble;  // none could be attached
  };

  explicit TlsProcesses(TlsDetacher& detacher) : detacher_(detacher) {}
  ~TlsProcesses();

  bool has(const ProcessId& process) const { return processes_.contains(process); }
  std::vector<FileNumbers> attached_in(const ProcessId& process) const;
  // Null: nobody has tried.
  const Row* find(const ProcessId& process, const FileNumbers& file) const;
  void put(const ProcessId& process, const FileNumbers& file, Row row);  // in place of none
  // Of all that have it; still attached.
  std::vector<std::pair<ProcessId, TlsLinks>> take(const FileNumbers& file);
  // Detached soon.
  void let_go(const ProcessId& process, const FileNumbers& file);
  void let_go(const ProcessId& process);
  void let_go_if(const std::function<bool(const ProcessId&)>& gone);

 private:
  using Files = std::map<FileNumbers, Row>;
  void detach(Files&& files);

  TlsDetacher& detacher_;
  std::map<ProcessId, Files> processes_;
};

// The process has something else where the library's first function begins than its file has: the kernel's trap. True
// as well when nobody can tell. Its memory may be one that nobody answers for: see Patience.
bool has_trap(std::uint32_t pid, const ExecutableMapping& mapping, const TlsLibrary& library);

}  // namespace aa
