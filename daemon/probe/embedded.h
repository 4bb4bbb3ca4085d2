// probe/embedded.h: the BPF objects inside this program's file.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace aa {

// Lets go of memory that holds an object nobody reads any more: it is in the program's file, and comes back from there
// when it is read again. Half a MiB for each family. Whole pages only.
inline void give_back(const void* bytes, std::size_t size) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes);
  const std::uintptr_t first = (begin + page - 1) / page * page;
  const std::uintptr_t last = (begin + size) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace aa
