// base/event_loop.h: one thread, one epoll.
//
// Comes in: descriptors and deadlines. Goes out: calls of their handlers, each turn in the order of registration of
// deadlines, then of readiness. Knows nothing of us. Nothing here may block or sleep.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace aa {

class EventLoop {
 public:
  using Handler = std::function<void(std::uint32_t epoll_events)>;

  static Result<std::unique_ptr<EventLoop>> make(std::function<std::uint64_t()> boot_clock);

  // `events` are EPOLL* bits; 0 keeps the descriptor registered but quiet. A descriptor may be removed from its
  // handler.
  Status add(int fd, std::uint32_t events, Handler handler);
  void modify(int fd, std::uint32_t events);
  void remove(int fd);

  // `when` is asked before every wait and gives an absolute boot time, or nothing; `fire` runs once it has passed.
  void add_deadline(std::function<std::optional<std::uint64_t>()> when, std::function<void()> fire);

  // Runs before every wait; true asks for another turn at once.
  void add_turn(std::function<bool()> turn);

  Status run();  // until stop()
  void stop() { running_ = false; }

 private:
  explicit EventLoop(std::function<std::uint64_t()> clock) : clock_(std::move(clock)) {}
  int wait_ms();
  void fire_deadlines();

  struct Deadline {
    std::function<std::optional<std::uint64_t>()> when;
    std::function<void()> fire;
  };

  std::function<std::uint64_t()> clock_;
  UniqueFd epoll_;
  std::map<int, std::shared_ptr<Handler>> handlers_;
  std::vector<Deadline> deadlines_;
  std::vector<std::function<bool()>> turns_;
  bool running_ = false;
};

}  // namespace aa
