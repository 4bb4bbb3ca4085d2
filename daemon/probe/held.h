// probe/held.h: processes that stand still because of us, and how they are let go.
//
// Comes in: the map of bpf/hold.bpf.c, which has a row for each. Goes out: the signal that ends a stop. Whoever calls:
// the daemon, or its guard when the daemon cannot.
#pragma once

#include <cstdint>
#include <vector>

namespace aa {

// Every thread of the process has stopped, or the process is gone: all that it was mapping is mapped.
bool stands_still(std::uint32_t pid);

std::vector<std::uint32_t> held_processes(int held_fd);

// Who is just being let go by the owner of this: in memory that the other one sees too, who finishes it if this one
// dies.
struct LettingGo {
  std::uint32_t pid = 0;            // 0: nobody
  std::uint32_t stopped_above = 0;  // aa_held's
  std::uint64_t start_ns = 0;
};

// True: the process was held until now. It goes on, unless somebody else has stopped it since: then it is theirs. So do
// its parents that have stopped themselves when they saw it stop (su). False: it was let go of before.
bool let_go(int held_fd, std::uint32_t pid, LettingGo& mine);
void finish(LettingGo& of_the_dead);

}  // namespace aa
