// cli/past.h: which lines of the daemon's file `--since` asks for. Knows no bus.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "client.h"
#include "render.h"

namespace aa {

// "10m", "2h", "@1795352401", "2026-11-22", "2026-11-22 13:00[:01]" (local time), "2026-11-22T13:00:01Z" → a time as
// events write it; "" when it is none of these.
std::string since_text(const std::string& since, std::int64_t now_seconds);

struct PastFilter {
  std::string from;       // since_text's
  Client::Filter filter;  // target: id or name
  bool wants(const std::string& line) const;
  bool is_older(const std::string& line) const;  // than what is asked for; a beginning of the line is enough
};

}  // namespace aa
