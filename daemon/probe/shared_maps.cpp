#include "probe/shared_maps.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "abi/filter.h"
#include "exec.skel.h"
#include "probe/kernel_age.h"
#include "probe/refusal.h"

namespace aa {
namespace {

constexpr const char* kSharedNames[] = {"aa_lifecycle", "aa_ledger", "aa_watched", "aa_targets", ".data.watch"};

UniqueFd make_like(const bpf_map* map) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = bpf_map__map_flags(map));
  return UniqueFd(bpf_map_create(bpf_map__type(map), bpf_map__name(map), bpf_map__key_size(map),
                                 bpf_map__value_size(map), bpf_map__max_entries(map), &options));
}

}  // namespace

Result<SharedMaps> SharedMaps::make(const SharedMapSizes& sizes) {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0)
    return Error{"load BPF programs: this kernel shows no BTF at /sys/kernel/btf/vmlinux", errno,
                 "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (all Debian kernels from 11 on are)", true};
  const std::unique_ptr<exec_bpf, void (*)(exec_bpf*)> definitions(exec_bpf__open(), &exec_bpf__destroy);
  if (!definitions) return Error{"open the exec family", errno, hint_for(errno)};
  bpf_map__set_max_entries(definitions->maps.aa_lifecycle, sizes.ring_bytes);
  bpf_map__set_max_entries(definitions->maps.aa_watched, sizes.watched_limit);
  allocate_beforehand(definitions->obj);
  SharedMaps shared;
  for (const char* name : kSharedNames) {
    UniqueFd fd = make_like(bpf_object__find_map_by_name(definitions->obj, name));
    if (!fd) return Error{std::string("make the map ") + name, errno, hint_for(errno), is_lasting(errno)};
    shared.fds_.emplace(name, std::move(fd));
  }
  return shared;
}

Status SharedMaps::share_with(bpf_object* object) const {
  for (const auto& [name, fd] : fds_) {
    bpf_map* map = bpf_object__find_map_by_name(object, name.c_str());
    if (const int error = bpf_map__reuse_fd(map, fd.get()); error != 0)
      return Error{"share the map " + name, -error, ""};
  }
  return Done{};
}

}  // namespace aa
