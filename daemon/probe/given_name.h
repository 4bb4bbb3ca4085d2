// probe/given_name.h: what stands at a name that a watched program has just given to a file, where the kernel showed
// the name alone.
//
// Since then the program may have led the name elsewhere, to a file of somebody else's. So what is found must have been
// changed since the call began, and so must its folder: who gives a name changes both. A symlink on the way counts when
// it, and each folder that leads to it, were not changed since; one of /proc or of FUSE never does, for it may say
// something else to each process.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace aa {

struct GivenName {
  UniqueFd file;         // O_PATH; a symlink, where one got the name; none: nothing is there, or refused
  bool refused = false;  // nobody can tell whether it is the file that got the name
};

// `root`: the caller's own, as the namespace has it, "" where they are the same; `boot_ns`: when its call ended. Waits
// for whoever answers for what lies on the way. Cost: a system call; with a symlink on the way three for each folder of
// it.
GivenName open_given(const std::string& path, const std::string& root, std::uint64_t boot_ns);

}  // namespace aa
