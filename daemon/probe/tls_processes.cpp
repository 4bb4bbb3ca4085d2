#include "probe/tls_processes.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "base/quiet_thread.h"
#include "probe/uprobe_multi.h"

namespace aa {
namespace {

constexpr std::size_t kAtOnce = 64;  // each takes a thread

}  // namespace

TlsProcesses::TlsProcesses() : thread_(quiet_thread([this] { run(); })) {}

TlsProcesses::~TlsProcesses() {
  let_go_if([](const ProcessId&) { return true; });
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  news_.notify_one();
  thread_.join();
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
  detach(std::move(one));
}

std::vector<ProcessId> TlsProcesses::let_go(const FileNumbers& file) {
  std::vector<ProcessId> had;
  for (auto& [process, files] : processes_)
    if (files.erase(file) != 0) had.push_back(process);
  return had;
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

void TlsProcesses::detach(Files files) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(files));
  }
  news_.notify_one();
}

void TlsProcesses::run() {
  std::unique_lock lock(mutex_);
  while (!ending_ || !waiting_.empty()) {
    news_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    std::vector<Files> all = std::exchange(waiting_, {});
    lock.unlock();
    close(all);
    all.clear();  // libbpf's, one after the other
    lock.lock();
  }
}

void TlsProcesses::close(std::vector<Files>& all) {
  std::vector<UniqueFd> links;
  const auto close_these = [&] { close_at_once(std::exchange(links, {})); };
  for (Files& files : all)
    for (auto& [file, row] : files)
      for (auto& [link, libbpfs] : row.links) {
        if (link) links.push_back(std::move(link));
        if (links.size() == kAtOnce) close_these();
      }
  close_these();
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
