// event/decode_file.h: file records, part of decode.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "event/event.h"

namespace aa {

// `event` holds what the header says; the record's size is known to be what its header claims.
Result<Event> decode_file(Event event, std::span<const std::byte> record);
Result<Event> decode_file_sum(Event event, std::span<const std::byte> record);

}  // namespace aa
