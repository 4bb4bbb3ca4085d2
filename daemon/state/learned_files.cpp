#include "state/learned_files.h"

#include <utility>

#include "state/path_rules.h"

namespace aa {
namespace {

constexpr std::size_t kMostInodes = 4096;  // the kernel knows the older ones
constexpr std::size_t kMostNames = 4096;
constexpr std::uint64_t kNameLasts = 1'000'000'000;

}  // namespace

std::string tidied(const std::string& path) {
  return path.find("/..") == std::string::npos ? lexically_normal(path) : path;
}

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
  forget_older(plan.boot_ns);
  names_.insert_or_assign(plan.path, plan);
  names_order_.emplace_back(plan.boot_ns, plan.path);
  if (names_order_.size() <= kMostNames) return;
  names_.erase(names_order_.front().second);
  names_order_.pop_front();
}

// A name that was given again since has another place further back.
void LearnedFiles::forget_older(std::uint64_t boot_ns) {
  for (; !names_order_.empty() && names_order_.front().first + kNameLasts < boot_ns; names_order_.pop_front()) {
    const auto named = names_.find(names_order_.front().second);
    if (named != names_.end() && named->second.boot_ns + kNameLasts < boot_ns) names_.erase(named);
  }
}

void LearnedFiles::forget_name(const std::string& path) {
  if (!names_.empty()) names_.erase(tidied(path));
}

std::vector<LearnPlan> LearnedFiles::take_below(const std::string& folder, std::uint64_t boot_ns) {
  forget_older(boot_ns);
  std::vector<LearnPlan> below;
  const std::string beginning = folder + "/";
  const auto first = names_.lower_bound(beginning);
  auto last = first;
  for (; last != names_.end() && last->first.starts_with(beginning); ++last) below.push_back(last->second);
  names_.erase(first, last);
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
