// event/decode_tls.h: TLS records, part of decode. They have a short header of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "event/event.h"

namespace aa {

bool is_tls_kind(std::uint16_t kind);
// The record may be longer than what it says it holds: what is behind is left alone.
Result<Event> decode_tls(std::span<const std::byte> record);

}  // namespace aa
