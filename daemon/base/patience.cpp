#include "base/patience.h"

#include <condition_variable>
#include <mutex>
#include <system_error>

#include "base/quiet_thread.h"

namespace aa {
namespace {

constexpr unsigned kMostLeftBehind = 8;
constexpr int kImpatience = 10;

}  // namespace

// Shared with its thread, which may outlive us.
struct Patience::Worker {
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void()> task;
  bool done = false;
  bool dismissed = false;
  std::shared_ptr<std::atomic<unsigned>> left_behind;

  void serve() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return task || dismissed; });
      if (!task) return;
      std::function<void()> now = std::exchange(task, nullptr);
      lock.unlock();
      now();
      now = nullptr;  // what it holds may have to ask as well when it is let go of
      lock.lock();
      done = true;
      changed.notify_all();
      if (!dismissed) continue;
      --*left_behind;
      return;
    }
  }
};

Patience::~Patience() {
  if (!worker_) return;
  const std::lock_guard lock(worker_->mutex);
  worker_->dismissed = true;
  worker_->changed.notify_all();
}

bool Patience::run(std::function<void()> task) try {
  const bool is_short = is_waited_for();
  if (*left_behind_ >= kMostLeftBehind) return ++given_up_, false;
  if (!worker_) {
    const auto worker = std::make_shared<Worker>();
    worker->left_behind = left_behind_;
    quiet_thread([worker] { worker->serve(); }).detach();
    worker_ = worker;
  }
  std::unique_lock lock(worker_->mutex);
  worker_->done = false;
  worker_->task = std::move(task);
  worker_->changed.notify_all();
  if (worker_->changed.wait_for(lock, is_short ? most_ / kImpatience : most_, [this] { return worker_->done; }))
    return true;
  worker_->dismissed = true;
  ++*left_behind_;
  ++given_up_;
  lock.unlock();
  worker_.reset();
  return false;
} catch (const std::system_error&) {  // no room for a thread
  ++given_up_;
  return false;
}

}  // namespace aa
