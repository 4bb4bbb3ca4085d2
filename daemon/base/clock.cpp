#include "base/clock.h"

#include <limits>

namespace aa {

std::int64_t realtime_offset_ns() {
  std::int64_t best = 0;
  std::uint64_t narrowest = std::numeric_limits<std::uint64_t>::max();
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = boot_ns();
    const std::uint64_t wall = clock_ns(CLOCK_REALTIME);
    const std::uint64_t after = boot_ns();
    if (after - before >= narrowest) continue;
    narrowest = after - before;
    best = static_cast<std::int64_t>(wall) - static_cast<std::int64_t>(before + (after - before) / 2);
  }
  return best;
}

}  // namespace aa
