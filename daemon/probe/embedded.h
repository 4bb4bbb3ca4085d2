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
  const std::size_t before = (page - reinterpret_cast<std::uintptr_t>(bytes) % page) % page;
  if (size < before + page) return;
  void* first = static_cast<char*>(const_cast<void*>(bytes)) + before;
  ::madvise(first, (size - before) / page * page, MADV_DONTNEED);
}

}  // namespace aa
