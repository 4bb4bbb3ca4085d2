#include "probe/tls_detacher.h"

#include <utility>

#include "base/quiet_thread.h"
#include "probe/uprobe_multi.h"

namespace aa {
namespace {

constexpr std::size_t kAtOnce = 64;  // each takes a thread

}  // namespace

TlsDetacher::TlsDetacher() : thread_(quiet_thread([this] { run(); })) {}

TlsDetacher::~TlsDetacher() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  news_.notify_one();
  thread_.join();
}

TlsDetacher::Done TlsDetacher::detach(std::vector<TlsLinks> links) {
  const auto done = std::make_shared<std::atomic<bool>>(false);
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(links), done});
  }
  news_.notify_one();
  return done;
}

void TlsDetacher::run() {
  std::unique_lock lock(mutex_);
  while (!ending_ || !waiting_.empty()) {
    news_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    std::vector<Task> tasks = std::exchange(waiting_, {});
    lock.unlock();
    close(tasks);
    lock.lock();
  }
}

void TlsDetacher::close(std::vector<Task>& tasks) {
  std::vector<UniqueFd> links;
  const auto close_these = [&] { close_at_once(std::exchange(links, {})); };
  for (Task& task : tasks)
    for (TlsLinks& all : task.links)
      for (auto& [link, libbpfs] : all) {
        if (link) links.push_back(std::move(link));
        if (links.size() == kAtOnce) close_these();
      }
  close_these();
  for (Task& task : tasks) {
    task.links.clear();  // libbpf's, one after the other
    *task.done = true;
  }
}

}  // namespace aa
