// sink/subscribers.h: pipes that carry events as JSON Lines to whoever asked.
//
// Comes in: events and a filter each. Goes out: whole lines, or a `loss` line that says how many are missing. A slow
// reader has a queue of kQueueBytes and slows nobody; a reader that left is forgotten.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "event/stream_filter.h"
#include "sink/fan_out.h"

namespace aa {

class Subscribers : public Sink {
 public:
  static constexpr std::size_t kQueueBytes = 8u << 20;
  static constexpr std::size_t kMax = 256;

  struct Counts {
    std::uint64_t delivered = 0;  // lines written whole
    std::uint64_t lost = 0;       // lines dropped for slow readers
  };

  explicit Subscribers(EventLoop& loop) : loop_(loop) {}
  ~Subscribers() override;

  using Allowed = std::function<bool()>;

  // The read end of a new subscriber's pipe. Error: no descriptor left, or kMax subscribers.
  Result<UniqueFd> add(StreamFilter filter, Allowed allowed);

  // Ends the streams of those who are not allowed to read any more, as each one's `allowed` says now; how many these
  // were.
  std::size_t end_forbidden();

  bool wants_lines() const override { return !readers_.empty(); }
  void take(const Event& event, const Line& line) override;
  void flush() override;  // writes what the pipes take now

  std::size_t size() const { return readers_.size(); }
  const Counts& counts() const { return counts_; }

 private:
  struct Reader {
    StreamFilter filter;
    Allowed allowed;
    UniqueFd pipe;
    struct Waiting {
      Line line;
      bool is_event = true;  // a word about losses is not one
    };
    std::deque<Waiting> queue;
    std::size_t queued_bytes = 0;
    std::size_t written_of_first = 0;
    bool waits_for_room = false;
    LossBody loss{"subscriber", "slow-reader", 0, 0, 0};
    std::uint64_t loss_seq = 0;
    std::int64_t loss_wall_ns = 0;
  };
  void push(Reader& reader, const Event& event, const Line& line);
  void tell_loss(Reader& reader);
  bool write_some(Reader& reader);  // false: the reader has left
  void ready(int fd, std::uint32_t events);
  void forget(int fd);

  EventLoop& loop_;
  std::map<int, std::unique_ptr<Reader>> readers_;  // by the write end's descriptor
  Counts counts_;
};

}  // namespace aa
