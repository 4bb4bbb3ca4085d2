// probe/name_hash.h: how names are known in the kernel: by FNV-1a, as the programs in bpf/ compute it.
#pragma once

#include <cstdint>
#include <string_view>

#include "abi/filter.h"

namespace aa {

inline std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = AA_NAME_HASH_START;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * AA_NAME_HASH_FACTOR;
  return hash;
}

}  // namespace aa
