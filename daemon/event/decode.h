// event/decode.h: bytes from the kernel → Event.
//
// Comes in: one record of bpf/abi/event.h, untrusted: every length is checked before use. Goes out: a typed event whose
// target and exe are still unset (the Monitor knows those), or a sentence saying what is wrong with the record.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "event/event.h"

namespace aa {

// Cost: one pass, copies the strings. Error: the record is too short, of another version, of an unknown kind, or its
// lengths do not add up to its size; `doing` says which, with numbers, never with content.
Result<Event> decode(std::span<const std::byte> record);

}  // namespace aa
