#include "probe/tls_processes.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

namespace aa {

TlsProcesses::~TlsProcesses() {
  let_go_if([](const ProcessId&) { return true; });
}

const TlsProcesses::Row* TlsProcesses::find(const ProcessId& process, const FileNumbers& file) const {
  const auto files = processes_.find(process);
  if (files == processes_.end()) return nullptr;
  const auto row = files->second.find(file);
  return row == files->second.end() ? nullptr : &row->second;
}

std::vector<FileNumbers> TlsProcesses::attached_in(const ProcessId& process) const {
  std::vector<FileNumbers> attached;
  const auto files = processes_.find(process);
  if (files == processes_.end()) return attached;
  for (const auto& [file, row] : files->second)
    if (!row.trouble) attached.push_back(file);
  return attached;
}

void TlsProcesses::put(const ProcessId& process, const FileNumbers& file, Row row) {
  processes_[process].emplace(file, std::move(row));
}

void TlsProcesses::let_go(const ProcessId& process, const FileNumbers& file) {
  const auto files = processes_.find(process);
  if (files == processes_.end()) return;
  Files one;
  one.insert(files->second.extract(file));
  if (files->second.empty()) processes_.erase(files);
  detach(std::move(one));
}

std::vector<std::pair<ProcessId, TlsLinks>> TlsProcesses::take(const FileNumbers& file) {
  std::vector<std::pair<ProcessId, TlsLinks>> taken;
  for (auto& [process, files] : processes_)
    if (auto node = files.extract(file)) taken.emplace_back(process, std::move(node.mapped().links));
  std::erase_if(processes_, [](const auto& process) { return process.second.empty(); });
  return taken;
}

void TlsProcesses::let_go(const ProcessId& process) {
  if (auto node = processes_.extract(process); !node.empty()) detach(std::move(node.mapped()));
}

void TlsProcesses::let_go_if(const std::function<bool(const ProcessId&)>& gone) {
  for (auto at = processes_.begin(); at != processes_.end();) {
    const auto one = at++;
    if (gone(one->first)) detach(std::move(processes_.extract(one).mapped()));
  }
}

void TlsProcesses::detach(Files&& files) {
  std::vector<TlsLinks> links;
  for (auto& [file, row] : files) links.push_back(std::move(row.links));
  detacher_.detach(std::move(links));
}

bool has_trap(std::uint32_t pid, const ExecutableMapping& mapping, const TlsLibrary& library) {
  if (library.begins.empty()) return true;
  const std::uint64_t offset = library.begins.front().offset;
  auto there = library.first_begin;
  const UniqueFd memory(::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  if (!memory || offset < mapping.offset) return true;
  const std::uint64_t address = mapping.begin + (offset - mapping.offset);
  if (::pread(memory.get(), there.data(), there.size(), static_cast<off_t>(address)) != sizeof(there)) return true;
  return there != library.first_begin;
}

}  // namespace aa
