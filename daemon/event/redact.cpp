// event/redact.cpp: nothing is taken out yet; see redact.h.
#include "event/redact.h"

namespace aa {

void Redactor::apply(Event&) const {}

}  // namespace aa
