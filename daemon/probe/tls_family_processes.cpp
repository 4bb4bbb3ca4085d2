// tls_family_processes.cpp: the TLS family attached to watched processes, each by itself.
#include <algorithm>

#include "base/clock.h"
#include "base/file_text.h"
#include "probe/tls_family.h"

namespace aa {
namespace {

constexpr std::size_t kMostInterrupted = 4096;  // by one file's writer

}  // namespace

bool TlsFamily::attach_in(std::uint32_t pid, const ExecutableMapping& mapping) {
  const auto process = watched(pid);
  if (!processes_ || !process) return false;
  const auto [file, met] = met_at(link_to(*mapping.file));
  if (met != nullptr && met->unheard_since_ns != 0) note_interrupted(file, *process);
  if (met == nullptr || !met->library) return false;
  const std::shared_ptr<const TlsLibrary> library = met->library;
  if (const TlsProcesses::Row* row = processes_->find(*process, file)) {
    if (library->begins.empty() || (row->trouble && !may_be_read_later(row->trouble->errno_value))) return false;
    if (!row->trouble && is_trapped(pid, mapping, met->library)) return false;
    processes_->let_go(*process, file);  // of a thread that is no more, or in vain
  }
  return attach_in(*process, file, library);
}

// It has what is being rewritten: it is attached to when that is over.
void TlsFamily::note_interrupted(const FileNumbers& file, const ProcessId& process) {
  auto& interrupted = met_.at(file).interrupted;
  const bool is_noted = std::ranges::any_of(interrupted, [&](const auto& one) { return one.first == process; });
  if (is_noted) return;
  if (interrupted.size() < kMostInterrupted)
    interrupted.emplace_back(process, boot_ns());
  else
    count_unseen();
}

// Nobody who answers: then it is taken to have one.
bool TlsFamily::is_trapped(std::uint32_t pid, const ExecutableMapping& mapping,
                           const std::shared_ptr<const TlsLibrary>& library) {
  return patience_.ask([pid, mapping, library] { return has_trap(pid, mapping, *library); }).value_or(true);
}

bool TlsFamily::attach_in(const ProcessId& process, const FileNumbers& file,
                          const std::shared_ptr<const TlsLibrary>& library) {
  const std::uint64_t began = boot_ns();
  TlsProcesses::Row row;
  TlsAttacher::Attached answer = attach_to(library, process.pid);
  row.links = std::move(answer.links);
  if (!answer.status) row.trouble = answer.status.error();
  counts_.attached += row.trouble ? 0 : 1;
  counts_.took_ns += boot_ns() - began;
  const bool attached = !row.trouble;
  tell_in(process, file, row.trouble);
  processes_->put(process, file, std::move(row));
  if (!is_gone(process.pid, process.start_ns)) return attached;
  processes_->let_go(process);  // its end was told before
  return false;
}

// What cannot be attached to for want of something is told of the library until it can; not of a process that has
// ended.
void TlsFamily::tell_in(const ProcessId& process, const FileNumbers& file, const std::optional<Error>& trouble) {
  const auto met = met_.find(file);
  if (met == met_.end() || !met->second.library || (trouble && is_gone(process.pid, process.start_ns))) return;
  ProbeBody& state = states_[met->second.state];
  const bool was_troubled = std::exchange(met->second.is_troubled, trouble.has_value());
  news_ = news_ || trouble || was_troubled;
  if (trouble) {
    state.state = ProbeState::degraded;
    state.error_number = trouble->errno_value;
    state.reason = "not attached to in process " + std::to_string(process.pid) + ": " + trouble->doing;
  } else if (was_troubled) {
    tell_standby(state, *met->second.library);
  }
}

std::vector<FileNumbers> TlsFamily::attached_in(const ProcessId& process) const {
  return processes_ ? processes_->attached_in(process) : std::vector<FileNumbers>();
}

void TlsFamily::let_go(const ProcessId& process) {
  if (processes_) processes_->let_go(process);
}

void TlsFamily::let_go_of_unwatched() {
  if (processes_) processes_->let_go_if([this](const ProcessId& one) { return is_gone(one.pid, one.start_ns); });
}

std::optional<ProbeBody> TlsFamily::state_in(std::uint32_t pid, const ExecutableMapping& mapping) {
  const auto [file, met] = met_at(link_to(*mapping.file));
  if (met == nullptr) return std::nullopt;
  ProbeBody state = states_[met->state];
  if (!met->library) return state;
  if (!processes_) {
    if (!met->links.empty() && !is_trapped(pid, mapping, met->library)) tell_passed_by(state);
    return state;
  }
  const auto process = watched(pid);
  const TlsProcesses::Row* row = process ? processes_->find(*process, file) : nullptr;
  tell_places(state, *met->library);
  if (row == nullptr) {
    state.state = ProbeState::standby;
    state.reason = "not attached to in this process (tls.scope is \"watched\")";
  } else if (row->trouble) {
    state.state = ProbeState::failed;
    state.error_number = row->trouble->errno_value;
    state.reason = row->trouble->text();
  } else if (!not_firing_.empty()) {
    state.state = ProbeState::degraded;
    state.reason = not_firing_;
  } else if (!is_trapped(pid, mapping, met->library)) {
    state.state = ProbeState::degraded;
    state.reason = "attached to, but this process does not come by: it executed another program";
  }
  return state;
}

// The kernel's traps are the file's; an overlay has two files under one number once it has copied one up.
void TlsFamily::tell_passed_by(ProbeBody& state) {
  state.state = ProbeState::degraded;
  state.reason =
      "attached to, but this process does not come by: it maps another copy, as an overlay makes of a file of "
      "its lower layers when that is changed";
}

}  // namespace aa
