#include "probe/proc_text.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/file_text.h"
#include "base/proc_start.h"
#include "base/unique_fd.h"
#include "event/redact.h"

namespace aa {
namespace {

constexpr std::size_t kArgvMax = 64 * 1024;

std::string path_behind(const std::string& link) {
  constexpr std::string_view kDeleted = " (deleted)";
  std::string path = link_text(link);
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
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

std::string directory_of(const ProcessId& process) {
  return "/proc/" + std::to_string(process.pid) + "/";
}

// What a process's memory has of its start; whoever holds that memory's lock is waited for.
struct Memory {
  std::string arguments;  // with a zero behind each
  std::string filename;
};

std::string arguments_of(const ProcessId& process) {
  return file_text(directory_of(process) + "cmdline", kArgvMax);
}

std::vector<Memory> memories_of(const std::vector<ProcessId>& processes) {
  std::vector<Memory> memories;
  memories.reserve(processes.size());
  for (const ProcessId& process : processes)
    memories.push_back({arguments_of(process), text_of_start(directory_of(process))});
  return memories;
}

std::vector<std::string> arguments_in(std::string_view text) {
  std::vector<std::string> argv;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\0', at), text.size());
    argv.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  redact_arguments(argv);
  return argv;
}

}  // namespace

void ProcText::read(const std::vector<LivingProcess*>& processes) {
  for (LivingProcess* process : processes) {
    process->exe = path_behind(directory_of(process->id) + "exe");
    process->cwd = path_behind(directory_of(process->id) + "cwd");
  }
  read_memories(processes);
  for (LivingProcess* process : processes) {
    process->has_text = began_at(process->id.pid, process->id.start_ns);
    if (process->has_text) continue;
    process->exe.clear();
    process->cwd.clear();
    process->argv.clear();
    process->filename.clear();
  }
}

void ProcText::read_memories(const std::vector<LivingProcess*>& processes) {
  if (!patience_.is_waited_for()) silent_.clear();
  std::vector<ProcessId> asked;
  std::vector<LivingProcess*> whose;
  for (LivingProcess* process : processes) {
    if (silent_.contains(process->id)) continue;
    asked.push_back(process->id);
    whose.push_back(process);
  }
  if (asked.empty()) return;
  const auto memories = patience_.ask([asked] { return memories_of(asked); });
  for (std::size_t i = 0; i < whose.size(); ++i) {
    if (!memories) {  // one of them did not answer
      read_memory_alone(*whose[i]);
      continue;
    }
    whose[i]->argv = arguments_in((*memories)[i].arguments);
    whose[i]->filename = (*memories)[i].filename;
  }
}

void ProcText::read_memory_alone(LivingProcess& process) {
  const auto arguments = patience_.ask([id = process.id] { return arguments_of(id); });
  if (arguments) process.argv = arguments_in(*arguments);
  auto filename = arguments ? patience_.ask([id = process.id] { return text_of_start(directory_of(id)); })
                            : std::optional<std::string>();
  if (filename)
    process.filename = std::move(*filename);
  else
    silent_.insert(process.id);
}

}  // namespace aa
