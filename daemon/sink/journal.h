// sink/journal.h: alerts from a severity on, and losses → the log. Ids, paths of programs and counts; never argv, never
// content.
#pragma once

#include "event/event.h"

namespace aa {

void log_event(const Event& event, Severity least);

}  // namespace aa
