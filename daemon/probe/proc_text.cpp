#include "probe/proc_text.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/file_text.h"
#include "base/proc_start.h"
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
  process.has_text = began_at(process.id.pid, process.id.start_ns);
  if (process.has_text) return;
  process.exe.clear();
  process.cwd.clear();
  process.argv.clear();
}

}  // namespace aa
