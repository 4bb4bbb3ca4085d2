// probe/probe_sites.h: where in a function its beginning and its end are seen best, and where its arguments and its
// result are still in place.
//
// Comes in: the function's bytes, and a way to look at code elsewhere in its file. Goes out: places, relative to the
// function's first byte, and words that say which they are. A trap on an instruction that the kernel carries out itself
// costs a fraction of one that it steps through, so those come first; what cannot be proved is not chosen: then the
// function's first byte and a return probe it is. Knows no file and no kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace aa {

// The stack pointer is `depth` bytes below where it was at the function's first byte. What is `shared` lies elsewhere:
// others come there too.
struct ProbePlace {
  std::int64_t offset = 0;
  std::uint32_t depth = 0;
  bool shared = false;
};

// What lies outside of the function; places are relative to its first byte, and may be below 0.
struct CodeElsewhere {
  // At most `count` bytes of the file's code; fewer, or none, where it has none.
  std::function<std::vector<std::uint8_t>(std::int64_t at, std::size_t count)> bytes;
  // There is another function there that is probed itself.
  std::function<bool(std::int64_t at)> is_probed;
};

struct ProbeNeeds {
  std::uint32_t arguments = 0;  // registers that must be in place at the beginning: 1 << number (machine_code.h)
  bool begin = true;            // its beginning must be seen
  bool end = true;              // its end must be seen, with the result in place
  bool return_probes = true;    // the kernel's may be used
  bool depths = true;           // a program can be told of a depth above 0, and that a place is shared
};

struct ProbeChoice {
  bool skip = false;  // it only goes on to another function that is probed: there is nothing to do here
  ProbePlace begin;
  bool return_probe = false;     // planted at `begin`
  std::vector<ProbePlace> ends;  // where there is none
  std::string how;               // "branch + canary"; for people
  std::string trouble;           // why its end cannot be seen; "" when it can
};

ProbeChoice choose_probes(std::span<const std::uint8_t> function, const ProbeNeeds& needs,
                          const CodeElsewhere& elsewhere);

}  // namespace aa
