#include "probe/shared_maps.h"

namespace aa {

Status share_maps(bpf_object* object, const ExecFamily& exec) {
  const std::pair<const char*, int> shared[] = {{"aa_lifecycle", exec.ring_fd()},
                                                {"aa_ledger", exec.ledger_fd()},
                                                {"aa_watched", exec.watched_fd()},
                                                {"aa_targets", exec.targets_fd()},
                                                {".data.watch", exec.watch_data_fd()}};
  for (const auto& [name, fd] : shared) {
    bpf_map* map = bpf_object__find_map_by_name(object, name);
    if (const int error = bpf_map__reuse_fd(map, fd); error != 0)
      return Error{std::string("share the map ") + name, -error, ""};
  }
  return Done{};
}

}  // namespace aa
