#include "probe/self_test.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "abi/filter.h"
#include "base/unique_fd.h"
#include "probe/tls_trial.h"
#include "probe/trial_files.h"

namespace aa {
namespace {

// In the environment of what the child becomes: a binary that does not know --version would test itself without end.
constexpr const char* kOurChild = "AA_EBPFD_SELF_TEST=1";

// The child: waits for `go`, then uses files, forks, fails an exec, execs, and exits. Only async-signal-safe calls.
[[noreturn]] void act(int go, const char* folder) {
  char byte = 0;
  if (::read(go, &byte, 1) != 1) ::_exit(1);
  use_files_in(folder);
  call_trial();
  const pid_t grandchild = ::fork();
  if (grandchild == 0) ::_exit(0);
  ::waitpid(grandchild, nullptr, 0);
  std::array<char*, 3> arguments = {const_cast<char*>("aa-ebpfd"), const_cast<char*>("--version"), nullptr};
  std::array<char*, 2> environment = {const_cast<char*>(kOurChild), nullptr};
  ::execve("/proc/self/aa-ebpfd-self-test", arguments.data(), environment.data());
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, STDOUT_FILENO);
  ::dup2(null, STDERR_FILENO);
  ::execve("/proc/self/exe", arguments.data(), environment.data());
  ::_exit(1);
}

}  // namespace

bool SelfTest::saw(const Event& event) {
  if (!running_ || event.slot != AA_SLOT_SELF_TEST || !event.process) return false;
  if (const auto* exec = std::get_if<ExecBody>(&event.body)) (exec->result < 0 ? seen_.failed_exec : seen_.exec) = true;
  if (std::holds_alternative<ForkBody>(event.body)) seen_.fork = true;
  if (std::holds_alternative<ExitBody>(event.body)) seen_.exit = true;
  if (const auto* file = std::get_if<FileBody>(&event.body)) seen_.file = seen_.file || file->at.path == "/dev/null";
  if (const auto* tls = std::get_if<TlsBody>(&event.body)) seen_.tls = seen_.tls || tls->data == kTrialBytes;
  return true;
}

Status SelfTest::run(const std::function<void()>& drain) {
  if (::getenv("AA_EBPFD_SELF_TEST") != nullptr) return Error{"self-test: this is a self-test's own child", 0, ""};
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error{"self-test: make a pipe", errno, ""};
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const TrialFolder folder;
  const UniqueFd statistics(::bpf_enable_stats(BPF_STATS_RUN_TIME));
  const pid_t child = ::fork();
  if (child < 0) return Error{"self-test: fork", errno, ""};
  if (child == 0) {
    ::close(ends[1]);
    act(ends[0], folder.path().c_str());
  }
  running_ = true;
  kernel_.open_self_test();
  const bool enrolled = kernel_.enrol_self_test(static_cast<std::uint32_t>(child));
  if (enrolled) (void)!::write(write_end.get(), "!", 1);
  write_end.reset();
  ::waitpid(child, nullptr, 0);
  drain();
  kernel_.close_self_test();
  running_ = false;
  if (!enrolled) return Error{"self-test: enrol a child of our own", 0, "the task iterator does not show it"};
  const std::string silent = "attached, but the self-test's own event did not arrive";
  if (!seen_.fork) family_.mark_not_firing("aa_fork", silent);
  if (!seen_.exec) family_.mark_not_firing("aa_exec", silent);
  if (!seen_.exit) family_.mark_not_firing("aa_exit", silent);
  if (statistics && !folder.path().empty())
    for (const std::string& program : files_.never_ran())
      files_.mark_not_firing(program, "attached, but the kernel did not run it when the self-test used files");
  if (!seen_.file) files_.mark_not_firing(files_.opening_program(), silent);
  if (!seen_.tls) tls_.mark_not_firing(silent);
  if (!seen_.failed_exec) family_.mark_not_firing("aa_failed_exec", silent);
  return Done{};
}

}  // namespace aa
