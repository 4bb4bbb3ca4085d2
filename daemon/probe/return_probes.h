// probe/return_probes.h: kretprobes with room for many calls at once.
//
// The kernel follows a call to its end only when it has a place for it; by default there is one for each CPU, and a few
// threads that sleep in read(2) would take them all. Only an event of tracefs says how many there are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probe/libbpf_handles.h"

struct bpf_program;

namespace aa {

class ReturnProbes {
 public:
  static constexpr int kRoom = 4096;  // calls of one function; the kernel takes no more. 300 KiB each

  ReturnProbes() = default;
  ReturnProbes(const ReturnProbes&) = delete;
  ReturnProbes& operator=(const ReturnProbes&) = delete;
  ~ReturnProbes();  // all links must be gone

  // Null with errno. About 20 ms, as for every kprobe.
  LinkPtr attach(const bpf_program* program);
  // False without tracefs: then each function has the kernel's few places, and what they miss is not known.
  bool has_room();
  // Calls whose end was not seen.
  std::uint64_t missed() const;

 private:
  bool begin();
  void remove_leftovers() const;

  bool begun_ = false;
  std::string tracing_;              // where tracefs is, "" nowhere
  std::vector<std::string> events_;  // ours, without their group
};

}  // namespace aa
