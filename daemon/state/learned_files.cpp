#include "state/learned_files.h"

#include <utility>

namespace aa {
namespace {

constexpr std::size_t kMostInodes = 4096;  // the kernel knows the older ones
constexpr std::size_t kMostNames = 4096;
constexpr std::uint64_t kNameLasts = 1'000'000'000;

}  // namespace

bool LearnedFiles::learn(const FileBody& file, std::uint32_t object) {
  const auto [place, is_new] = inodes_.try_emplace(inode_of(file), object);
  if (!is_new) return std::exchange(place->second, object) != object;
  order_.push_back(inode_of(file));
  if (order_.size() <= kMostInodes) return true;
  inodes_.erase(order_.front());
  order_.pop_front();
  return true;
}

void LearnedFiles::learn_name(const std::string& path, std::uint64_t generation, std::uint32_t object,
                              std::uint64_t boot_ns) {
  if (!names_.insert_or_assign(path, Name{generation, object, boot_ns}).second) return;
  names_order_.push_back(path);
  if (names_order_.size() <= kMostNames) return;
  names_.erase(names_order_.front());
  names_order_.pop_front();
}

void LearnedFiles::forget_name(const std::string& path) {
  if (names_.erase(path) > 0) std::erase(names_order_, path);
}

std::uint32_t LearnedFiles::object_of(const FileBody& file, std::uint64_t boot_ns) const {
  if (file.ino != 0)
    if (const auto known = inodes_.find(inode_of(file)); known != inodes_.end()) return known->second;
  const auto named = names_.find(file.at.from_namespace());
  const bool counts = named != names_.end() && named->second.generation == file.generation &&
                      named->second.boot_ns + kNameLasts >= boot_ns;
  return counts ? named->second.object : 0;
}

}  // namespace aa
