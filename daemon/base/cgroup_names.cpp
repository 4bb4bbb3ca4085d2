#include "base/cgroup_names.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/file_text.h"

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

bool has_version_1_of_systemd() {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);)
    if (line.find(" - cgroup ") != std::string::npos && line.find("name=systemd") != std::string::npos) return true;
  return false;
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

std::uint64_t CgroupNames::id_of(const std::string& path) const {
  if (!mount_) return 0;
  std::array<std::byte, sizeof(file_handle) + MAX_HANDLE_SZ> storage{};
  auto* handle = reinterpret_cast<file_handle*>(storage.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  std::uint64_t id = 0;
  const std::string whole = mount_point_ + path;
  if (::name_to_handle_at(AT_FDCWD, whole.c_str(), handle, &mount_id, 0) != 0) return 0;
  if (handle->handle_type == kFileidKernfs) std::memcpy(&id, handle->f_handle, sizeof(id));
  return id;
}

// Where both versions are mounted (hybrid), systemd keeps units in both or in the first alone: its own folders tell.
bool CgroupNames::holds_units(const std::string& path) const {
  if (!mount_) return false;
  return !has_version_1_of_systemd() || id_of(path) != 0 || id_of(path.substr(0, path.find('/', 1))) != 0;
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
  const std::string whole = link_text(link_to(directory));
  if (whole.compare(0, mount_point_.size(), mount_point_) != 0) return "";
  const std::string below = whole.substr(mount_point_.size());
  return below.empty() ? "/" : below;
}

}  // namespace aa
