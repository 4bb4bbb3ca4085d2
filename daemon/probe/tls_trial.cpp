#include "probe/tls_trial.h"

#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <span>

#include "base/unique_fd.h"
#include "probe/machine_code.h"

namespace aa {

// Not inlined and never known to the optimiser: it must be there to be probed.
extern "C" __attribute__((noinline, noclone)) int aa_tls_trial(void* object, const void* data, int length) {
  asm volatile("" : "+r"(length) : "r"(object), "r"(data) : "memory");
  return length;
}

namespace {

struct Place {
  std::uintptr_t address = 0;
  std::uint64_t offset = 0;
};

int look_in(dl_phdr_info* info, std::size_t, void* data) {
  auto* place = static_cast<Place*>(data);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    const std::uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type != PT_LOAD || place->address < begin || place->address >= begin + segment.p_filesz) continue;
    place->offset = place->address - begin + segment.p_offset;
    return 1;
  }
  return 0;
}

bool allow_only_exit() {
  std::array<sock_filter, 4> code = {
      sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_exit_group},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS},
  };
  sock_fprog program{code.size(), code.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

// The bytes are on the stack, as a library would have touched them: a program in the kernel brings no page in.
void call_trial() {
  std::array<char, kTrialBytes.size()> bytes;
  kTrialBytes.copy(bytes.data(), bytes.size());
  (void)aa_tls_trial(bytes.data(), bytes.data(), static_cast<int>(bytes.size()));
}

std::uint64_t trial_offset() {
  Place place{reinterpret_cast<std::uintptr_t>(&aa_tls_trial), 0};
  ::dl_iterate_phdr(&look_in, &place);
  return place.offset;
}

// Read from the file: in memory it may have another daemon's traps.
std::uint64_t trial_return_offset() {
  std::array<std::uint8_t, 64> bytes;  // it is far shorter
  const UniqueFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (::pread(self.get(), bytes.data(), bytes.size(), static_cast<off_t>(trial_offset())) !=
      static_cast<ssize_t>(bytes.size()))
    return 0;
  const std::span<const std::uint8_t> code(bytes);
  std::int64_t at = 0;
  while (at < static_cast<std::int64_t>(code.size())) {
    const auto one = decode_instruction(code.subspan(static_cast<std::size_t>(at)), at);
    if (!one) return 0;
    if (one->flow == Flow::ret) return trial_offset() + static_cast<std::uint64_t>(at);
    at = one->end();
  }
  return 0;
}

bool survives_filter() {
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) {
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (!allow_only_exit()) ::_exit(0);  // without filters nobody is killed by one
    call_trial();
    ::_exit(0);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status);
}

}  // namespace aa
