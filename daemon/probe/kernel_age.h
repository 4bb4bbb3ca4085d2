// probe/kernel_age.h: which build of an object this kernel takes, where there are two, and what its maps need.
#pragma once

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cstdint>

namespace aa {

// Callbacks in BPF (5.17, with bpf_loop): found by trying, once.
inline bool kernel_has_callbacks() {
  static const bool has = libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_loop, nullptr) == 1;
  return has;
}

// Hash maps that allocate when a program adds to them are safe in tracing programs since 6.1, which has this helper; an
// older kernel may deadlock in its allocator, and warns. There every entry is to be allocated beforehand.
inline bool kernel_allocates_for_programs() {
  static const bool does =
      libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_user_ringbuf_drain, nullptr) == 1;
  return does;
}

// Has every entry of an object's hash maps allocated beforehand, where programs cannot allocate.
inline void allocate_beforehand(bpf_object* object) {
  if (kernel_allocates_for_programs()) return;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__type(map) == BPF_MAP_TYPE_HASH)
      bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~static_cast<std::uint32_t>(BPF_F_NO_PREALLOC));
  }
}

}  // namespace aa
