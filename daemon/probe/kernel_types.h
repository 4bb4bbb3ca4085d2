// probe/kernel_types.h: of the kernel's types those that an object speaks of, in a file that libbpf takes for all.
//
// libbpf looks through every type of the kernel, some 100,000, for each that a program names, and for each object anew:
// a third of a start. Among the few hundred that are left here it finds them at once.
#pragma once

#include <bpf/btf.h>

#include <cstddef>
#include <memory>
#include <string>

#include "base/unique_fd.h"

namespace aa {

// Read once for all who hold it at the same time, from any thread: some 6 MB, each page of which is touched: 30 ms
// where that costs 18 µs a page (a PVM guest), and twice that before 6.16. Null: the kernel has none.
std::shared_ptr<const btf> kernel_btf();

class KernelTypes {
 public:
  // `elf`: the object's file. Cost: some 2 ms.
  KernelTypes(const void* elf, std::size_t size);

  // For bpf_object_open_opts; to be kept until the object is loaded. Null when it could not be made: libbpf then looks
  // through all.
  const char* path() const { return path_.empty() ? nullptr : path_.c_str(); }

 private:
  UniqueFd file_;
  std::string path_;
};

}  // namespace aa
