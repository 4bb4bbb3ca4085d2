// probe/uprobe_multi.h: one attachment for many places of a file (Linux 6.6 and later).
//
// libbpf has it from 1.3 on; Debian 12 has 1.1, so the call to the kernel is made here. Detaching what was attached one
// by one takes the kernel a tenth of a second for each place, this a twentieth for all.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "probe/tls_library.h"

namespace aa {

// Found by trying, once.
bool kernel_has_uprobe_multi();
// Attached to one process, a program is run by all its threads: before 6.10 by the first one only. By trying, once.
bool uprobe_multi_sees_threads();

// Before load: the program will be attached by attach_uprobe_multi.
void mark_for_uprobe_multi(bpf_program* program);

// A program that does nothing, to be attached by attach_uprobe_multi; −1 when the kernel has none such.
UniqueFd empty_uprobe_multi_program();

// The descriptor keeps it attached. `name`: the program's, for an error. `path` may be of /proc/self/fd. `pid` 0: to
// everybody; else to that process, and to what it executes later.
Result<UniqueFd> attach_uprobe_multi(int program, const std::string& name, const std::string& path,
                                     const std::vector<TlsSite>& sites, bool at_return, std::uint32_t pid = 0);

// Each waits until the kernel knows that no program runs any more: at once they all wait for the same.
void close_at_once(std::vector<UniqueFd> links);

}  // namespace aa
