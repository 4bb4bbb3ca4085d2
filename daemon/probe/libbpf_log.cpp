#include "probe/libbpf_log.h"

#include <bpf/libbpf.h>

#include <array>
#include <cstdarg>
#include <cstdio>

namespace aa {
namespace {

std::string& kept() {
  static std::string log;
  return log;
}

int keep(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  std::array<char, 4096> line{};
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  constexpr std::size_t kKeep = 8192;
  std::string& log = kept();
  if (length > 0) log.append(line.data());
  if (log.size() > kKeep) log.erase(0, log.size() - kKeep);
  return length;
}

}  // namespace

void LibbpfLog::capture() {
  libbpf_set_print(keep);
}

void LibbpfLog::clear() {
  kept().clear();
}

// The verifier ends its log with a count; what it found wrong stands above that.
std::string LibbpfLog::last_line() {
  const std::string& log = kept();
  const std::size_t verifier = log.rfind("\nprocessed ");
  auto end = verifier == std::string::npos ? log.find_last_not_of('\n') : verifier - 1;
  if (end == std::string::npos) return "";
  const auto before = log.find_last_of('\n', end);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  return log.substr(begin, end - begin + 1);
}

}  // namespace aa
