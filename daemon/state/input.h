// state/input.h: whatever goes into the Monitor, as one value, and as bytes of a capture.
//
// Comes in: inputs, or the records of a capture. Goes out: the other; what they did (feed). Pure. A capture of a
// Monitor's settings and inputs makes another Monitor say the same.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "event/capture_file.h"
#include "state/monitor.h"

namespace aa {

struct TimePassed {
  std::uint64_t boot_ns = 0;
};

using Input = std::variant<Event, Command, Completion, KernelCounts, ProbeBody, TimePassed>;

Step feed(Monitor& monitor, Input input);

// A capture's records: the settings first, then inputs in order. A pidfd is not kept.
std::string record_of(const Monitor::Settings& settings);
std::string record_of(const Input& input);

// What a record holds; the error says what is wrong with it.
Result<Monitor::Settings> settings_of(const CaptureReader::Record& record);
Result<Input> input_of(const CaptureReader::Record& record);

}  // namespace aa
