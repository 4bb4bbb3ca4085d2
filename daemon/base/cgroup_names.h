// base/cgroup_names.h: cgroup ids, as records carry them, → paths below the cgroup v2 root, and back.
//
// An id is the kernfs node's and thus the cgroup's file handle (kernfs, 5.5+): open_by_handle_at answers exactly,
// without a search. Needs CAP_DAC_READ_SEARCH. A cgroup that is gone before its first record was read has no path any
// more: "".
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/unique_fd.h"

namespace aa {

class CgroupNames {
 public:
  CgroupNames();  // without a cgroup v2 mount every answer is ""

  // Cost: a hash lookup; for a new id two system calls. The cache is emptied when it holds kCacheMax ids.
  const std::string& path_of(std::uint64_t id);

  // The id of the cgroup of that path ("/system.slice"); 0: there is none.
  std::uint64_t id_of(const std::string& path) const;

  // Whether systemd may put the processes of a unit into this cgroup: it need not exist now. False where systemd keeps
  // them in a version 1 hierarchy.
  bool holds_units(const std::string& path) const;

 private:
  static constexpr std::size_t kCacheMax = 4096;
  std::string resolve(std::uint64_t id) const;

  UniqueFd mount_;
  std::string mount_point_;
  std::unordered_map<std::uint64_t, std::string> cache_;
};

}  // namespace aa
