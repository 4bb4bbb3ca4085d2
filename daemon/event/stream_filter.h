// event/stream_filter.h: which events a subscriber wants. Said on the bus, judged by the sink.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "event/event.h"

namespace aa {

struct StreamFilter {
  std::string target;                    // id; "" all
  std::vector<std::string> types;        // event type names; empty all
  std::optional<Severity> min_severity;  // alerts below it are left out; other types are not affected

  bool passes(const Event& event) const;
};

}  // namespace aa
