// event/redact.h: takes out of an event what its target's level forbids, before anything can store it.
//
// Until the TLS family brings the redactor, argv passes as it is: readers are root only and no log carries it. Every
// event passes here, so that the redactor has one place to live.
#pragma once

#include "event/event.h"

namespace aa {

class Redactor {
 public:
  void apply(Event& event) const;
};

}  // namespace aa
