#include "probe/libbpf_log.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace aa {
namespace {

constexpr std::size_t kKeep = 16 * 1024;
constexpr std::string_view kLogEnd = "-- END PROG LOAD LOG --";

std::string& kept() {
  thread_local std::string log;  // families are loaded side by side
  return log;
}

int keep(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char* text = nullptr;  // a verifier's log is one message of any length
  const int length = ::vasprintf(&text, format, arguments);
  if (length < 0) return 0;
  const std::unique_ptr<char, decltype(&std::free)> owner(text, &std::free);
  std::string& log = kept();
  log.append(text, static_cast<std::size_t>(length));
  if (log.size() > kKeep) log.erase(0, log.size() - kKeep);
  return length;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// "libbpf: prog 'aa_exec': failed to load: -22" → "aa_exec"
std::string_view program_in(std::string_view line) {
  const std::size_t begin = line.find("prog '");
  if (begin == std::string_view::npos) return "";
  line.remove_prefix(begin + 6);
  return line.substr(0, line.find('\''));
}

// What the verifier adds after its reason.
bool is_statistics(std::string_view line) {
  for (const std::string_view start : {"processed ", "verification time ", "stack depth ", "peak_states "})
    if (line.substr(0, start.size()) == start) return true;
  return false;
}

}  // namespace

const std::string& libbpf_log() {
  return kept();
}

void forget_libbpf_log() {
  kept().clear();
}

void keep_libbpf_log() {
  libbpf_set_print(keep);
}

bool is_verifiers(std::string_view log) {
  return log.find(kLogEnd) != std::string_view::npos;
}

std::string program_refused(std::string_view log) {
  const std::vector<std::string_view> lines = lines_of(log);
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    if (line->find("failed to load") != std::string_view::npos && line->find("prog '") != std::string_view::npos)
      return std::string(program_in(*line));
  return "";
}

std::string reason_in(std::string_view log) {
  const std::vector<std::string_view> lines = lines_of(log);
  for (std::size_t end = lines.size(); end-- > 0;) {
    if (lines[end].find(kLogEnd) == std::string_view::npos) continue;
    std::size_t reason = end;
    while (reason > 0 && is_statistics(lines[reason - 1])) --reason;
    if (reason == 0) break;
    const std::string_view program = end + 1 < lines.size() ? program_in(lines[end + 1]) : "";
    return (program.empty() ? "" : std::string(program) + ": ") + std::string(lines[reason - 1]);
  }
  return lines.empty() ? "" : std::string(lines.back());
}

}  // namespace aa
