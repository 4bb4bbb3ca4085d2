// sink/batch_writer.h: batches → a thread of their own, which writes them, one after the other.
//
// Comes in: batches with the ring position they reach up to. Goes out: what was written or given up is acknowledged by
// position. Nothing here waits in the loop. Knows nothing of what a batch holds nor where it goes: `write` does, on the
// writer's thread.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "base/quiet_thread.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace aa {

template <class Batch>  // has a position
class BatchWriter {
 public:
  using Write = std::function<void(Batch&)>;

  Status start(Write write) {
    write_ = std::move(write);
    ack_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!ack_) return Error{"make an event descriptor", errno, ""};
    thread_ = quiet_thread([this] { run(); });
    return Done{};
  }

  // Writes what waits, for at most two seconds; returns what was not begun by then. Nothing may be put afterwards.
  std::deque<Batch> finish() {
    std::deque<Batch> left;
    {
      std::unique_lock lock(mutex_);
      idle_.wait_for(lock, std::chrono::seconds(2), [this] { return queue_.empty() && !busy_; });
      ending_ = true;
      left.swap(queue_);
    }
    work_.notify_one();
    if (thread_.joinable()) thread_.join();
    return left;
  }

  void put(Batch batch) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(batch));
    work_.notify_one();
  }

  // Forgets what the writer has not begun: returned, and acknowledged.
  std::deque<Batch> drop_waiting() {
    const std::lock_guard lock(mutex_);
    std::deque<Batch> dropped;
    dropped.swap(queue_);
    if (!dropped.empty()) acknowledged_ = std::max(acknowledged_, dropped.back().position);
    return dropped;
  }

  // Up to which position everything is written, or given up. `ack_fd` becomes readable when it changes.
  std::uint64_t acknowledged() const {
    const std::lock_guard lock(mutex_);
    return acknowledged_;
  }
  int ack_fd() const { return ack_.get(); }
  void clear_ack() {
    std::uint64_t count = 0;
    (void)!::read(ack_.get(), &count, sizeof(count));
  }
  // Asked by a `write` that waits for somebody: it shall give up.
  bool ending() const { return ending_; }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [this] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
      Batch batch = std::move(queue_.front());
      queue_.pop_front();
      busy_ = true;
      lock.unlock();
      write_(batch);
      lock.lock();
      busy_ = false;
      acknowledged_ = std::max(acknowledged_, batch.position);
      const std::uint64_t one = 1;
      (void)!::write(ack_.get(), &one, sizeof(one));
      if (queue_.empty()) idle_.notify_all();
    }
  }

  Write write_;
  UniqueFd ack_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<Batch> queue_;
  std::uint64_t acknowledged_ = 0;
  bool busy_ = false;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace aa
