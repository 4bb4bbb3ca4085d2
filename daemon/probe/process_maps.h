// probe/process_maps.h: which files a process has mapped to be executed.
//
// Comes in: a pid. Goes out: each file once, with a path that opens that very file, whatever its name has become
// (deleted, replaced, in another mount namespace).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aa {

struct ExecutableMapping {
  std::uint32_t dev = 0;  // the kernel's own pair
  std::uint64_t ino = 0;
  std::uint64_t begin = 0;   // its first address, which has
  std::uint64_t offset = 0;  // this place of the file
  std::uint64_t end = 0;     // the address behind the last
  std::string name;          // as the kernel shows it, for people

  // Opens the file while the process lives and has it mapped there.
  std::string link(std::uint32_t pid) const;
};

// Of the text of /proc/PID/maps; a line that is not as it should be is left out.
std::vector<ExecutableMapping> executable_mappings(std::string_view maps);

// Empty when the process is gone.
std::vector<ExecutableMapping> executable_mappings_of(std::uint32_t pid);

}  // namespace aa
