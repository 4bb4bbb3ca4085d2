#include "base/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace aa {

Result<std::unique_ptr<EventLoop>> EventLoop::make(std::function<std::uint64_t()> boot_clock) {
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(boot_clock)));
  loop->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_) return Error{"create the event loop", errno, ""};
  return loop;
}

Status EventLoop::add(int fd, std::uint32_t events, Handler handler) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return Error{"watch a descriptor", errno, ""};
  handlers_[fd] = std::make_shared<Handler>(std::move(handler));
  return Done{};
}

void EventLoop::modify(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::remove(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  handlers_.erase(fd);
}

void EventLoop::add_deadline(std::function<std::optional<std::uint64_t>()> when, std::function<void()> fire) {
  deadlines_.push_back({std::move(when), std::move(fire)});
}

void EventLoop::add_turn(std::function<bool()> turn) {
  turns_.push_back(std::move(turn));
}

int EventLoop::wait_ms() {
  std::optional<std::uint64_t> first;
  for (const auto& deadline : deadlines_)
    if (const auto when = deadline.when()) first = std::min(first.value_or(*when), *when);
  if (!first) return -1;
  const std::uint64_t now = clock_();
  if (*first <= now) return 0;
  constexpr std::uint64_t kLongestMs = 3'600'000;
  return static_cast<int>(std::min((*first - now) / 1'000'000 + 1, kLongestMs));  // rounded up: never early
}

void EventLoop::fire_deadlines() {
  for (const auto& deadline : deadlines_) {
    const auto when = deadline.when();
    if (when && *when <= clock_()) deadline.fire();
  }
}

Status EventLoop::run() {
  std::array<epoll_event, 32> ready{};
  running_ = true;
  while (running_) {
    bool again = false;
    for (const auto& turn : turns_) again = turn() || again;
    if (!running_) break;
    const int timeout = again ? 0 : wait_ms();
    const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), timeout);
    if (count < 0 && errno != EINTR) return Error{"wait for events", errno, ""};
    fire_deadlines();
    for (int i = 0; i < count; ++i) {
      const auto found = handlers_.find(ready[static_cast<std::size_t>(i)].data.fd);
      if (found == handlers_.end()) continue;  // removed by a handler of this very turn
      const std::shared_ptr<Handler> handler = found->second;
      (*handler)(ready[static_cast<std::size_t>(i)].events);
    }
  }
  return Done{};
}

}  // namespace aa
