#include "probe/tls_discovery.h"

#include <sys/stat.h>

#include <utility>

#include "base/clock.h"
#include "probe/tls_stacks.h"

namespace aa {
namespace {

constexpr std::size_t kMostMet = 65'536;  // then files are looked into again
constexpr std::uint32_t kProtExec = 4;

}  // namespace

std::optional<TlsDiscovery::Change> TlsDiscovery::last_change(const std::string& path, std::uint64_t ino) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || status.st_ino != ino) return std::nullopt;
  return Change{status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
}

// A file that took the numbers of one that is gone was changed since.
bool TlsDiscovery::is_new(const Key& key, const std::string& path) {
  const auto change = last_change(path, key.second);
  if (!change || key.second == 0) return false;
  if (met_.size() >= kMostMet) met_.clear();
  const auto [place, is_first] = met_.try_emplace(key, *change);
  return std::exchange(place->second, *change) != *change || is_first;
}

bool TlsDiscovery::is_known(const FileBody& file) const {
  const auto found = met_.find({file.dev, file.ino});
  if (found == met_.end()) return false;
  const auto change = last_change(file.at.path, file.ino);
  return !change || found->second == *change;  // none: its name says nothing here
}

std::optional<LossBody> TlsDiscovery::saw(const Event& event) {
  if (!tls_.runs() || !event.process) return std::nullopt;
  const std::uint32_t pid = event.process->id.pid;
  bool attached = false;
  if (const auto* exec = std::get_if<ExecBody>(&event.body)) {
    const std::string link = "/proc/" + std::to_string(pid) + "/exe";
    if (exec->result < 0 || is_held(pid) || !is_new({exec->exe_dev, exec->exe_ino}, link)) return std::nullopt;
    attached = tls_.attach(link, event.process->exe);
  } else if (const auto* file = std::get_if<FileBody>(&event.body)) {
    const bool executable = file->op == FileOp::mmap && file->flags && (*file->flags & kProtExec) != 0;
    if (!executable || file->result < 0 || is_known(*file) || is_held(pid)) return std::nullopt;
    attached = look_into(pid);
  }
  if (!attached) return std::nullopt;
  return LossBody{"tls", "late-attach", 0, event.boot_ns, boot_ns()};
}

bool TlsDiscovery::look_into(std::uint32_t pid) {
  bool attached = false;
  if (!tls_.runs()) return false;
  for (const ExecutableMapping& mapping : executable_mappings_of(pid))
    if (is_new({mapping.dev, mapping.ino}, mapping.link(pid)))
      attached = tls_.attach(mapping.link(pid), mapping.name) || attached;
  return attached;
}

std::vector<TlsStack> TlsDiscovery::explain(std::uint32_t pid) const {
  std::vector<TlsStack> stacks;
  for (const ExecutableMapping& mapping : executable_mappings_of(pid)) {
    if (const ProbeBody* state = tls_.state_of(mapping.link(pid))) {
      stacks.push_back({mapping.name, std::string(name_of(state->state)), state->reason});
      continue;
    }
    const std::string stack = uncovered_stack(mapping.name, mapping.link(pid));
    if (!stack.empty()) stacks.push_back({mapping.name, "not-covered", stack});
  }
  return stacks;
}

}  // namespace aa
