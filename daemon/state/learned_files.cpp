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

void LearnedFiles::learn_name(const LearnPlan& plan) {
  if (!names_.insert_or_assign(plan.path, plan).second) return;
  names_order_.push_back(plan.path);
  if (names_order_.size() <= kMostNames) return;
  names_.erase(names_order_.front());
  names_order_.pop_front();
}

void LearnedFiles::forget_name(const std::string& path) {
  if (names_.erase(path) > 0) std::erase(names_order_, path);
}

std::vector<LearnPlan> LearnedFiles::take_below(const std::string& folder, std::uint64_t boot_ns) {
  std::vector<LearnPlan> below;
  for (const std::string& path : names_order_) {
    const LearnPlan& plan = names_.at(path);
    const bool is_below = path.size() > folder.size() && path[folder.size()] == '/' && path.starts_with(folder);
    if (is_below && plan.boot_ns + kNameLasts >= boot_ns) below.push_back(plan);
  }
  for (const LearnPlan& plan : below) forget_name(plan.path);
  return below;
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
