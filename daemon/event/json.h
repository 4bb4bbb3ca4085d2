// event/json.h: Event → one line of JSON, the contract of docs/events.md.
//
// Comes in: an Event as the Monitor finished it. Goes out: UTF-8, one object, no newline inside or at the end. Written
// by hand rather than through a DOM: it is the event path (nlohmann/json writes about 86 MB/s; see
// docs/architecture.md).
#pragma once

#include <string>

#include "event/event.h"

namespace aa {

// Appends the line (without newline) to `out`. Bytes that are not UTF-8: member holds U+FFFD, `<member>_base64` the
// bytes.
void append_json(std::string& out, const Event& event);
std::string to_json(const Event& event);

}  // namespace aa
