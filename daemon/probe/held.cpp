#include "probe/held.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "abi/filter.h"
#include "base/file_text.h"
#include "base/proc_start.h"
#include "base/unique_fd.h"

namespace aa {
namespace {

constexpr std::uint64_t signal_bit(int signal) {
  return std::uint64_t{1} << (signal - 1);
}

std::string folder_of(std::uint32_t pid) {
  return "/proc/" + std::to_string(pid);
}

// The letter of proc_pid_stat(5); 'X' when it is gone. The command name may hold anything, parentheses too.
char state_in(const std::string& stat) {
  const auto at = stat.rfind(')');
  return at == std::string::npos || at + 2 >= stat.size() ? 'X' : stat[at + 2];
}

std::string stat_of(std::uint32_t pid) {
  return file_text(folder_of(pid) + "/stat", 4096);
}

std::uint32_t parent_of(std::uint32_t pid) {
  const std::string stat = stat_of(pid);
  const auto at = stat.rfind(')');
  return at == std::string::npos
             ? 0
             : static_cast<std::uint32_t>(std::strtoul(stat.c_str() + std::min(at + 4, stat.size()), nullptr, 10));
}

// Signals that wait: the process's, and its first thread's.
std::uint64_t waiting_signals(std::uint32_t pid) {
  const std::string status = file_text(folder_of(pid) + "/status");
  std::uint64_t signals = 0;
  for (const char* name : {"\nSigPnd:\t", "\nShdPnd:\t"}) {
    const auto at = status.find(name);
    if (at != std::string::npos) signals |= std::strtoull(status.c_str() + at + std::string(name).size(), nullptr, 16);
  }
  return signals;
}

void send(const UniqueFd& process, int signal) {
  (void)::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
}

// A stop of somebody else's that came after ours waits behind it, and the signal that ends ours would take it away.
void end_stop(const UniqueFd& process, std::uint32_t pid) {
  const std::uint64_t waiting = waiting_signals(pid);
  if ((waiting & signal_bit(SIGSTOP)) != 0 && stands_still(pid)) return;
  send(process, SIGCONT);
  for (const int signal : {SIGTSTP, SIGTTIN, SIGTTOU})
    if ((waiting & signal_bit(signal)) != 0) send(process, signal);
}

// Of a process that was told of its child's stop, and may not have come to its own yet.
char settled_state(std::uint32_t pid) {
  constexpr int kTries = 5;
  constexpr unsigned kPauseUs = 1000;
  char state = state_in(stat_of(pid));
  for (int tries = 0; state == 'R' && tries < kTries; ++tries) {
    ::usleep(kPauseUs);
    state = state_in(stat_of(pid));
  }
  return state;
}

void wake_those_above(std::uint32_t pid, std::uint32_t stopped_before) {
  for (std::uint32_t level = 0; level < AA_HELD_ABOVE && pid > 1; ++level) {
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process || settled_state(pid) != 'T' || (stopped_before >> level & 1) != 0) return;
    const std::uint32_t parent = parent_of(pid);
    send(process, SIGCONT);
    pid = parent;
  }
}

}  // namespace

bool stands_still(std::uint32_t pid) {
  const std::string folder = folder_of(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> threads(::opendir(folder.c_str()), &::closedir);
  if (!threads) return true;
  while (const dirent* thread = ::readdir(threads.get())) {
    if (thread->d_name[0] == '.') continue;
    const char state = state_in(file_text(folder + "/" + thread->d_name + "/stat", 4096));
    if (std::string_view("TtXZ").find(state) == std::string_view::npos) return false;
  }
  return true;
}

std::vector<std::uint32_t> held_processes(int held_fd) {
  std::vector<std::uint32_t> processes;
  std::uint32_t pid = 0;
  const void* after = nullptr;
  // As many as have room: a row that goes begins the walk again.
  while (processes.size() < AA_HELD_MAX && bpf_map_get_next_key(held_fd, after, &pid) == 0) {
    processes.push_back(pid);
    after = &pid;
  }
  return processes;
}

// The row goes first: as soon as the process goes on it may map the next file, and be held for that.
bool let_go(int held_fd, std::uint32_t pid, LettingGo& mine) {
  aa_held held{};
  if (bpf_map_lookup_elem(held_fd, &pid, &held) != 0) return false;
  mine.start_ns = held.start_ns;
  mine.stopped_above = held.stopped_above;
  __atomic_store_n(&mine.pid, pid, __ATOMIC_SEQ_CST);
  const bool ours = bpf_map_delete_elem(held_fd, &pid) == 0;
  if (ours) return finish(mine), true;
  __atomic_store_n(&mine.pid, 0u, __ATOMIC_SEQ_CST);
  return false;
}

void finish(LettingGo& one) {
  const std::uint32_t pid = __atomic_load_n(&one.pid, __ATOMIC_SEQ_CST);
  if (pid == 0) return;
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const std::uint32_t parent = parent_of(pid);
  if (process && began_at(pid, one.start_ns)) {
    end_stop(process, pid);
    wake_those_above(parent, one.stopped_above);
  }
  __atomic_store_n(&one.pid, 0u, __ATOMIC_SEQ_CST);
}

}  // namespace aa
