// probe/map_keys.h: what is in a map of the kernel.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <vector>

namespace aa {

// One system call a key. A key that goes while its map is walked begins the walk again: a bound keeps that from being
// endless.
template <class Key>
std::vector<Key> keys_of(const bpf_map* map) {
  std::vector<Key> keys;
  Key key{};
  const void* after = nullptr;
  while (keys.size() < bpf_map__max_entries(map) && bpf_map_get_next_key(bpf_map__fd(map), after, &key) == 0) {
    keys.push_back(key);
    after = &key;
  }
  return keys;
}

}  // namespace aa
