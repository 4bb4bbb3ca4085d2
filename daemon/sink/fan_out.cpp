#include "sink/fan_out.h"

#include <algorithm>

#include "event/json.h"

namespace aa {

void FanOut::deliver(const Event& event) {
  Line line;
  if (std::any_of(sinks_.begin(), sinks_.end(), [](const Sink* sink) { return sink->wants_lines(); })) {
    auto text = std::make_shared<std::string>();
    append_json(*text, event);
    text->push_back('\n');
    line = std::move(text);
  }
  for (Sink* sink : sinks_) sink->take(event, line);
  for (const Listener& listener : listeners_) listener(event);
}

void FanOut::flush() {
  for (Sink* sink : sinks_) sink->flush();
}

}  // namespace aa
