// probe/shared_maps.h: one copy of what all families share: who is watched, what was counted, where urgent records go.
//
// Comes in: sizes. Goes out: maps that are there before any family is, so that families can be loaded side by side.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace aa {

struct SharedMapSizes {
  std::uint32_t ring_bytes = 8u << 20;
  std::uint32_t watched_limit = 65'536;
};

// Needed only until all families are loaded: each then holds them itself.
class SharedMaps {
 public:
  // As the exec family's object defines them. Error: what the kernel refuses, and a hint.
  static Result<SharedMaps> make(const SharedMapSizes& sizes);

  // Before load: the object's maps of these names become these.
  Status share_with(bpf_object* object) const;

 private:
  std::map<std::string, UniqueFd> fds_;
};

}  // namespace aa
