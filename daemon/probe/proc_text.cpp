#include "probe/proc_text.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "base/file_text.h"
#include "base/proc_start.h"
#include "base/unique_fd.h"
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

// What the kernel was told to start, from where it put that in the new image (getauxval(3), AT_EXECFN). The process can
// write there, and map what it likes: it only speaks for itself. "" for 32-bit programs, whose table is another.
std::string text_of_start(const std::string& directory) {
  constexpr std::size_t kTableMax = 4096, kTextMax = 4096;
  const std::string table = file_text(directory + "auxv", kTableMax);
  std::array<std::uint64_t, 2> entry{};
  for (std::size_t at = 0; at + sizeof(entry) <= table.size(); at += sizeof(entry)) {
    std::memcpy(entry.data(), table.data() + at, sizeof(entry));
    if (entry[0] == AT_EXECFN) break;
  }
  if (entry[0] != AT_EXECFN) return "";
  const UniqueFd memory(::open((directory + "mem").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, kTextMax> text{};
  const ssize_t length =
      memory ? ::pread(memory.get(), text.data(), text.size() - 1, static_cast<off_t>(entry[1])) : -1;
  return length <= 0 ? "" : std::string(text.data());
}

std::vector<std::string> filenames_of(const std::vector<ProcessId>& processes) {
  std::vector<std::string> names;
  for (const ProcessId& process : processes) {
    names.push_back(text_of_start("/proc/" + std::to_string(process.pid) + "/"));
    if (!began_at(process.pid, process.start_ns)) names.back().clear();
  }
  return names;
}

}  // namespace

void ProcText::read_filenames(std::vector<LivingProcess>& processes) {
  if (!patience_.is_waited_for()) silent_.clear();
  std::vector<ProcessId> asked;
  std::vector<LivingProcess*> whose;
  for (LivingProcess& process : processes) {
    if (!process.has_text || silent_.contains(process.id)) continue;
    asked.push_back(process.id);
    whose.push_back(&process);
  }
  if (asked.empty()) return;
  auto names = patience_.ask([asked] { return filenames_of(asked); });
  for (std::size_t i = 0; i < whose.size(); ++i) {
    // One of them did not answer: each by itself then.
    const auto one =
        names ? std::optional(std::vector{(*names)[i]}) : patience_.ask([id = asked[i]] { return filenames_of({id}); });
    if (one)
      whose[i]->filename = one->front();
    else
      silent_.insert(asked[i]);
  }
}

void ProcText::read(LivingProcess& process) {
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
