// sink/journal.h: alerts and losses → the log. Ids, paths of programs and counts; never argv, never content.
#pragma once

#include "event/event.h"

namespace aa {

void log_event(const Event& event);

}  // namespace aa
