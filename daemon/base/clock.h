// base/clock.h: the two clocks we speak of. Boot time orders events; wall time is only ever shown.
#pragma once

#include <time.h>

#include <cstdint>

namespace aa {

inline std::uint64_t clock_ns(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(now.tv_nsec);
}

// CLOCK_BOOTTIME, what bpf_ktime_get_boot_ns() and task->start_boottime count.
inline std::uint64_t boot_ns() {
  return clock_ns(CLOCK_BOOTTIME);
}

// CLOCK_REALTIME − CLOCK_BOOTTIME, read between two readings of the other so that a preemption is not taken for time.
std::int64_t realtime_offset_ns();

}  // namespace aa
