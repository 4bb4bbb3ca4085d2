// probe/process_maps.h: which files a process has mapped to be executed.
//
// Comes in: a pid. Goes out: each file once, open, so that it is that very file, whatever its name has become (deleted,
// replaced, in another mount namespace), and whatever its process does next.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace aa {

struct ExecutableMapping {
  std::uint32_t dev = 0;  // the kernel's own pair
  std::uint64_t ino = 0;
  std::uint64_t begin = 0;                         // its first address, which has
  std::uint64_t offset = 0;                        // this place of the file
  std::uint64_t end = 0;                           // the address behind the last
  std::string name;                                // as the kernel shows it, for people
  std::shared_ptr<const UniqueFd> file = nullptr;  // O_PATH; none: it was gone by then, or may not be opened
  int error = 0;                                   // why there is none; E2BIG: the process has too many

  // Opens the file while the process lives and has it mapped there.
  std::string link(std::uint32_t pid) const;
};
using ExecutableMappings = std::vector<ExecutableMapping>;

// Of one process at most so many are opened, and have names: those of tens of thousands are hundreds of MiB if it
// wants.
constexpr std::size_t kMostMapped = 1024;
// Of the text of /proc/PID/maps; a line that is not as it should be is left out.
ExecutableMappings executable_mappings(std::string_view maps);
// Empty when the process is gone. It waits for the lock of the process's memory, which that may hold for as long as it
// likes (a fault in a file that nobody answers for): see Patience. Cost: 20 to 200 µs;
// of a process with tens of thousands of mappings some 30 ms.
ExecutableMappings executable_mappings_of(std::uint32_t pid);
// The same of each; a file that several have mapped is open once.
std::vector<ExecutableMappings> executable_mappings_of(const std::vector<std::uint32_t>& pids);

}  // namespace aa
