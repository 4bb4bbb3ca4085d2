// event/bad_record.h: what decode says of a record it refuses.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace aa {

inline Error bad_record(std::string what) {
  return Error{"read a kernel record: " + std::move(what), 0, {}};
}

}  // namespace aa
