// sink/fan_out.h: one finished event → every sink.
//
// Comes in: events in order. Goes out: each sink gets the event and its JSON line, rendered once. A sink that cannot
// take it now drops and counts; none may block. Knows nothing of who listens.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "event/event.h"

namespace aa {

using Line = std::shared_ptr<const std::string>;  // one JSON object and its newline

class Sink {
 public:
  virtual ~Sink() = default;
  virtual bool wants_lines() const = 0;  // asked for every event: a sink with nobody to serve costs no rendering
  virtual void take(const Event& event, const Line& line) = 0;  // line is null unless some sink wants lines
  virtual void flush() {}                                       // end of a turn
};

class FanOut {
 public:
  using Listener = std::function<void(const Event&)>;

  void add(Sink& sink) { sinks_.push_back(&sink); }
  void add(Listener listener) { listeners_.push_back(std::move(listener)); }  // for sinks that need no line

  void deliver(const Event& event);
  void flush();

 private:
  std::vector<Sink*> sinks_;
  std::vector<Listener> listeners_;
};

}  // namespace aa
