// The kernel's types that an object speaks of: all there, as they are, and little else.
#include "probe/kernel_types.h"

#include <cstring>
#include <string>

#include "abi/event.h"
#include "abi/filter.h"
#include "exec.skel.h"
#include "support/catch.h"

using aa::kernel_btf;
using aa::KernelTypes;

TEST_CASE("kernel types: what an object speaks of is there, as the kernel has it, and little else") {
  const auto kernel = kernel_btf();
  if (!kernel) {
    WARN("skipped: this kernel has no BTF");
    return;
  }
  std::size_t size = 0;
  const void* bytes = exec_bpf__elf_bytes(&size);
  const KernelTypes types(bytes, size);
  REQUIRE(types.path() != nullptr);
  const std::unique_ptr<btf, void (*)(btf*)> few(btf__parse(types.path(), nullptr), &btf__free);
  REQUIRE(few);
  CHECK(btf__type_cnt(few.get()) * 10 < btf__type_cnt(kernel.get()));
  for (const char* name : {"task_struct", "linux_binprm", "cgroup", "mount", "dentry"}) {
    INFO(name);
    const __s32 there = btf__find_by_name_kind(kernel.get(), name, BTF_KIND_STRUCT);
    const __s32 here = btf__find_by_name_kind(few.get(), name, BTF_KIND_STRUCT);
    REQUIRE(there > 0);
    REQUIRE(here > 0);
    const btf_type* whole = btf__type_by_id(kernel.get(), static_cast<__u32>(there));
    const btf_type* copy = btf__type_by_id(few.get(), static_cast<__u32>(here));
    CHECK(whole->size == copy->size);
    REQUIRE(btf_vlen(whole) == btf_vlen(copy));
    for (int at = 0; at < btf_vlen(whole); ++at) {
      CHECK(btf_members(whole)[at].offset == btf_members(copy)[at].offset);
      CHECK(std::string(btf__name_by_offset(kernel.get(), btf_members(whole)[at].name_off)) ==
            btf__name_by_offset(few.get(), btf_members(copy)[at].name_off));
    }
  }
}

TEST_CASE("kernel types: of what is no object nothing is made, and libbpf looks for itself") {
  const std::string text = "no object";
  CHECK(KernelTypes(text.data(), text.size()).path() == nullptr);
}
