// probe/refusal.h: what an errno from the kernel means for somebody who starts the daemon.
#pragma once

#include <cerrno>
#include <string>

namespace aa {

inline constexpr const char* kReport = "report it with this sentence and the kernel's version";

inline std::string hint_for(int error) {
  if (error == EPERM || error == EACCES)
    return "loading BPF needs root or CAP_BPF and CAP_PERFMON: start aa-ebpfd as root, outside a restricted container";
  if (error == ENOENT || error == ESRCH || error == EINVAL)
    return "this kernel lacks what the program needs; kernels from 5.10 with CONFIG_DEBUG_INFO_BTF are supported";
  return kReport;
}

// Refusals; the rest (ENOMEM, EAGAIN, EINTR, EBUSY) may pass.
inline bool is_lasting(int error) {
  return error == EPERM || error == EACCES || error == ENOENT || error == ESRCH || error == EINVAL || error == ENOSYS ||
         error == EOPNOTSUPP;
}

}  // namespace aa
