#include "probe/kernel_functions.h"

#include <bpf/libbpf.h>

#include <charconv>
#include <optional>

#include "probe/kernel_types.h"

namespace aa {
namespace {

std::optional<unsigned> as_number(const std::string& text) {
  unsigned number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

bool hooks_function(const bpf_program* program) {
  const std::string_view section = bpf_program__section_name(program);
  const std::string_view kind = section.substr(0, section.find('/'));
  return kind == "fentry" || kind == "fexit" || kind == "kprobe" || kind == "kretprobe";
}

std::string job_of(const bpf_program* program) {
  const std::string name = bpf_program__name(program);
  return name.substr(0, name.find("__"));
}

std::string variant_of(const bpf_program* program) {
  const std::string name = bpf_program__name(program);
  const std::size_t at = name.find("__");
  return at == std::string::npos ? "" : name.substr(at + 2);
}

KernelFunctions::KernelFunctions() : btf_(kernel_btf()) {
  for (__u32 id = 1; btf_ && id < btf__type_cnt(btf_.get()); ++id) {
    const btf_type* type = btf__type_by_id(btf_.get(), id);
    if (btf_is_func(type)) ids_.emplace(btf__name_by_offset(btf_.get(), type->name_off), id);
  }
}

const btf_type* KernelFunctions::prototype_of(const bpf_program* program) const {
  const std::string_view section = bpf_program__section_name(program);
  const auto found = ids_.find(section.substr(section.find('/') + 1));
  if (found == ids_.end()) return nullptr;
  return btf__type_by_id(btf_.get(), btf__type_by_id(btf_.get(), found->second)->type);
}

// The struct that the first pointer among the arguments leads to; "" when that is none, or no argument is a pointer.
std::string KernelFunctions::first_struct(const btf_type& prototype) const {
  const btf_param* parameters = btf_params(&prototype);
  for (std::uint16_t i = 0; i < btf_vlen(&prototype); ++i) {
    const btf_type* type = btf__type_by_id(btf_.get(), parameters[i].type);
    if (!btf_is_ptr(type)) continue;
    const btf_type* target = btf__type_by_id(btf_.get(), type->type);
    while (btf_is_mod(target)) target = btf__type_by_id(btf_.get(), target->type);
    return btf_is_struct(target) ? btf__name_by_offset(btf_.get(), target->name_off) : "";
  }
  return "";
}

// How well it fits: 0 not at all, the highest is taken.
int KernelFunctions::rank(const bpf_program* program) const {
  const btf_type* prototype = prototype_of(program);
  if (prototype == nullptr) return 0;
  const std::string variant = variant_of(program);
  if (variant.empty()) return 2;
  if (variant == "raw") return first_struct(*prototype).empty() ? 3 : 0;
  if (variant.rfind("of_", 0) == 0) return first_struct(*prototype) == variant.substr(3) ? 3 : 0;
  if (const auto arguments = as_number(variant)) return btf_vlen(prototype) == *arguments ? 3 : 0;
  return 1;
}

std::map<std::string, bpf_program*> KernelFunctions::choose(const bpf_object* object) const {
  std::map<std::string, std::pair<int, bpf_program*>> best;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    if (!hooks_function(program)) continue;
    auto& [rank_so_far, chosen] = best[job_of(program)];
    const int here = rank(program);
    if (here <= rank_so_far) continue;
    rank_so_far = here;
    chosen = program;
  }
  std::map<std::string, bpf_program*> out;
  for (const auto& [job, entry] : best) out[job] = entry.second;
  return out;
}

}  // namespace aa
