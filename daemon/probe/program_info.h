// probe/program_info.h: what the kernel itself tells of one of our programs.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdint>

namespace aa {

// All zero when the kernel does not tell. One system call.
inline bpf_prog_info info_of(const bpf_program* program) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (program == nullptr || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length) != 0) return {};
  return info;
}

}  // namespace aa
