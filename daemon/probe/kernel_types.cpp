#include "probe/kernel_types.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <mutex>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/file_text.h"
#include "base/write_all.h"

namespace aa {
namespace {

using Btf = std::unique_ptr<btf, void (*)(btf*)>;

// A name's part that counts: flavours of a type ("io_kiocb___owned") are the kernel's one.
std::string_view essential(std::string_view name) {
  return name.substr(0, name.find("___"));
}

UniqueFd file_of(const char* name, const void* bytes, std::size_t size) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC));
  if (file && !write_all(file.get(), {static_cast<const char*>(bytes), size})) file.reset();
  return file;
}

bool has_fields_or_values(const btf_type* type) {
  return btf_is_composite(type) || btf_is_any_enum(type);
}

std::unordered_set<std::string_view> names_in(const btf* object) {
  std::unordered_set<std::string_view> names;
  for (__u32 id = 1; id < btf__type_cnt(object); ++id) {
    const btf_type* type = btf__type_by_id(object, id);
    if (has_fields_or_values(type)) names.insert(essential(btf__name_by_offset(object, type->name_off)));
  }
  names.erase("");
  return names;
}

// Copies types with all that lies in them. Whatever a pointer leads to is not in them: pointers lead nowhere here, for
// a program's way through a pointer is two relocations, each from its own type.
class Copy {
 public:
  explicit Copy(const btf* from) : from_(from), to_(btf__new_empty(), &btf__free) {}

  bool add(__u32 id) { return copied(id) >= 0; }
  const btf* made() const { return to_.get(); }

 private:
  // The copy's id; negative: no room.
  int copied(__u32 id) {
    if (id == 0) return 0;
    if (const auto known = known_.find(id); known != known_.end()) return known->second;
    const btf_type* type = btf__type_by_id(from_, id);
    if (btf_is_ptr(type) || btf_is_func_proto(type)) return known_[id] = pointer();
    for (const __u32 part : parts_of(type))
      if (copied(part) < 0) return -1;
    const int added = btf__add_type(to_.get(), from_, type);
    if (added < 0) return added;
    lead(const_cast<btf_type*>(btf__type_by_id(to_.get(), static_cast<__u32>(added))));
    return known_[id] = added;
  }

  int pointer() {
    if (pointer_ == 0) pointer_ = btf__add_ptr(to_.get(), 0);
    return pointer_;
  }

  static std::vector<__u32> parts_of(const btf_type* type) {
    std::vector<__u32> parts;
    if (btf_is_composite(type))
      for (int at = 0; at < btf_vlen(type); ++at) parts.push_back(btf_members(type)[at].type);
    else if (btf_is_array(type))
      parts = {btf_array(type)->type, btf_array(type)->index_type};
    else if (btf_is_mod(type) || btf_is_typedef(type))
      parts = {type->type};
    return parts;
  }

  // From the kernel's ids to the copy's.
  void lead(btf_type* type) {
    if (btf_is_composite(type)) {
      for (int at = 0; at < btf_vlen(type); ++at) lead(btf_members(type)[at].type);
    } else if (btf_is_array(type)) {
      lead(btf_array(type)->type);
      lead(btf_array(type)->index_type);
    } else if (btf_is_mod(type) || btf_is_typedef(type)) {
      lead(type->type);
    }
  }
  void lead(__u32& id) { id = id == 0 ? 0 : static_cast<__u32>(known_.at(id)); }

  const btf* from_;
  Btf to_;
  std::unordered_map<__u32, int> known_;
  int pointer_ = 0;
};

// Kernels from 6.16 on let it be mapped: it is copied once then, where libbpf before 1.6 reads and copies it.
btf* parse_kernel_btf() {
  const UniqueFd file(::open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC));
  struct stat status {};
  const auto size = file && ::fstat(file.get(), &status) == 0 ? static_cast<std::size_t>(status.st_size) : 0;
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapped == MAP_FAILED) return btf__load_vmlinux_btf();
  btf* parsed = btf__new(mapped, static_cast<__u32>(size));
  ::munmap(mapped, size);
  return parsed;
}

}  // namespace

std::shared_ptr<const btf> kernel_btf() {
  static std::mutex mutex;  // families are opened side by side
  static std::weak_ptr<const btf> kept;
  const std::lock_guard lock(mutex);
  if (auto known = kept.lock()) return known;
  btf* loaded = parse_kernel_btf();
  if (loaded == nullptr) return nullptr;
  std::shared_ptr<const btf> fresh(loaded, [](const btf* types) { btf__free(const_cast<btf*>(types)); });
  kept = fresh;
  return fresh;
}

KernelTypes::KernelTypes(const void* elf, std::size_t size) {
  const auto kernel = kernel_btf();
  const UniqueFd object = file_of("aa-object", elf, size);
  const Btf own(object ? btf__parse_elf(link_to(object).c_str(), nullptr) : nullptr, &btf__free);
  if (!kernel || !own) return;
  const auto names = names_in(own.get());
  Copy copy(kernel.get());
  if (copy.made() == nullptr) return;
  for (__u32 id = 1; id < btf__type_cnt(kernel.get()); ++id) {
    const btf_type* type = btf__type_by_id(kernel.get(), id);
    if (has_fields_or_values(type) && names.contains(essential(btf__name_by_offset(kernel.get(), type->name_off))) &&
        !copy.add(id))
      return;
  }
  __u32 bytes = 0;
  const void* data = btf__raw_data(copy.made(), &bytes);
  file_ = data == nullptr ? UniqueFd() : file_of("aa-types", data, bytes);
  if (file_) path_ = link_to(file_);
}

}  // namespace aa
