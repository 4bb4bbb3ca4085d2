#include "base/proc_start.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/file_text.h"

namespace aa {

// Field 22 of proc_pid_stat(5). The command name may hold anything, parentheses too.
bool began_at(std::uint32_t pid, std::uint64_t start_ns) {
  const std::string stat = file_text("/proc/" + std::to_string(pid) + "/stat", 4096);
  auto at = stat.rfind(')');
  if (at == std::string::npos) return false;
  for (int field = 2; field < 22; ++field) {
    at = stat.find(' ', at + 1);
    if (at == std::string::npos) return false;
  }
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return std::strtoull(stat.c_str() + at + 1, nullptr, 10) == start_ns / (1'000'000'000 / ticks_per_second);
}

}  // namespace aa
