// probe/kernel_functions.h: which of an object's programs fit this kernel's functions, by its own BTF.
//
// Comes in: programs that hook functions (fentry, fexit, kprobe, kretprobe). Several may do the same job and then share
// a name, up to
// `__`; behind it stands what is special: another function's name, "raw" (the function is given the caller's names, not
// the kernel's copies), "of_" and the struct its first pointer leads to, or a number of arguments. Goes out: one a job,
// never by version.
#pragma once

#include <bpf/btf.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct bpf_object;
struct bpf_program;

namespace aa {

// "aa_unlink_in__filename_unlinkat" → "aa_unlink_in"
std::string job_of(const bpf_program* program);
// What stands behind "__", "" when there is nothing.
std::string variant_of(const bpf_program* program);
bool hooks_function(const bpf_program* program);

class KernelFunctions {
 public:
  KernelFunctions();  // by the kernel's whole BTF

  // By job; null where the kernel has no such function. Programs that hook no function are not looked at.
  std::map<std::string, bpf_program*> choose(const bpf_object* object) const;

 private:
  const btf_type* prototype_of(const bpf_program* program) const;
  std::string first_struct(const btf_type& prototype) const;
  int rank(const bpf_program* program) const;

  std::shared_ptr<const btf> btf_;
  std::unordered_map<std::string_view, __u32> ids_;  // of functions, by name: libbpf looks through all types for each
};

}  // namespace aa
