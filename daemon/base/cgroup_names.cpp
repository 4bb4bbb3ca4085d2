#include "base/cgroup_names.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

namespace aa {
namespace {

// linux/exportfs.h: FILEID_KERNFS; the handle is the 64-bit node id.
constexpr int kFileidKernfs = 0xfe;

// The mount point of the first cgroup2 file system, "" when there is none. proc(5): mountinfo.
std::string cgroup2_mount_point() {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const auto separator = line.find(" - cgroup2 ");
    if (separator == std::string::npos) continue;
    std::istringstream fields(line);
    std::string id, parent, device, root, point;
    if (fields >> id >> parent >> device >> root >> point) return point;
  }
  return "";
}

}  // namespace

CgroupNames::CgroupNames() : mount_point_(cgroup2_mount_point()) {
  if (!mount_point_.empty()) mount_.reset(::open(mount_point_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

const std::string& CgroupNames::path_of(std::uint64_t id) {
  if (const auto found = cache_.find(id); found != cache_.end()) return found->second;
  if (cache_.size() >= kCacheMax) cache_.clear();
  return cache_.emplace(id, resolve(id)).first->second;
}

std::string CgroupNames::resolve(std::uint64_t id) const {
  if (!mount_ || id == 0) return "";
  std::array<std::byte, sizeof(file_handle) + sizeof(id)> storage{};
  auto* handle = reinterpret_cast<file_handle*>(storage.data());
  handle->handle_bytes = sizeof(id);
  handle->handle_type = kFileidKernfs;
  std::memcpy(handle->f_handle, &id, sizeof(id));
  const UniqueFd directory(::open_by_handle_at(mount_.get(), handle, O_PATH | O_CLOEXEC));
  if (!directory) return "";
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(directory.get());
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  if (length <= 0) return "";
  const std::string whole(path.data(), static_cast<std::size_t>(length));
  if (whole.compare(0, mount_point_.size(), mount_point_) != 0) return "";
  const std::string below = whole.substr(mount_point_.size());
  return below.empty() ? "/" : below;
}

}  // namespace aa
