#include "probe/proc_text.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_text.h"
#include "event/redact.h"

namespace aa {
namespace {

constexpr std::size_t kArgvMax = 64 * 1024;

std::string link_text(const std::string& path) {
  std::array<char, 4097> text{};
  const ssize_t length = ::readlink(path.c_str(), text.data(), text.size());
  if (length <= 0) return "";
  std::string_view link(text.data(), static_cast<std::size_t>(length));
  constexpr std::string_view kDeleted = " (deleted)";
  if (link.ends_with(kDeleted)) link.remove_suffix(kDeleted.size());
  return std::string(link);
}

// Field 22 of proc_pid_stat(5), in clock ticks since boot. The command name may hold anything, parentheses too.
std::optional<std::uint64_t> start_ticks(const std::string& directory) {
  const std::string stat = file_text(directory + "stat", 4096);
  auto at = stat.rfind(')');
  if (at == std::string::npos) return std::nullopt;
  for (int field = 2; field < 22; ++field) {
    at = stat.find(' ', at + 1);
    if (at == std::string::npos) return std::nullopt;
  }
  return std::strtoull(stat.c_str() + at + 1, nullptr, 10);
}

}  // namespace

void read_proc_text(LivingProcess& process) {
  const std::string directory = "/proc/" + std::to_string(process.id.pid) + "/";
  process.exe = link_text(directory + "exe");
  process.cwd = link_text(directory + "cwd");
  const std::string line = file_text(directory + "cmdline", kArgvMax);
  process.argv.clear();
  for (std::size_t at = 0; at < line.size();) {
    const auto end = std::min(line.find('\0', at), line.size());
    process.argv.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  redact_arguments(process.argv);
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  process.has_text = start_ticks(directory) == process.id.start_ns / (1'000'000'000 / ticks_per_second);
  if (process.has_text) return;
  process.exe.clear();
  process.cwd.clear();
  process.argv.clear();
}

}  // namespace aa
