#include "state/learned_files.h"

#include <algorithm>
#include <utility>

#include "state/path_rules.h"

namespace aa {
namespace {

constexpr std::size_t kMostInodes = 4096;  // the kernel knows the older ones
constexpr std::size_t kMostNames = 4096;
constexpr std::size_t kMostFollowed = 64;  // of one folder: each is looked up again
constexpr std::uint64_t kNameLasts = 1'000'000'000;

}  // namespace

std::string tidied(const std::string& path) {
  return path.find("/..") == std::string::npos ? lexically_normal(path) : path;
}

bool is_plain(const FileBody& file, const FilePath& at) {
  return !file.foreign && at.whole() && !at.outside_root && !at.changed && at.from_namespace().starts_with('/');
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
  last_named_ns_ = std::max(last_named_ns_, plan.boot_ns);
  if (names_order_.size() <= kMostNames) return;
  const auto& [given_ns, path] = names_order_.front();
  if (const auto named = names_.find(path); named != names_.end() && named->second.boot_ns == given_ns)
    names_.erase(named);
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

LearnedFiles::Below LearnedFiles::take_below(const std::string& folder, std::uint64_t boot_ns) {
  forget_older(boot_ns);
  Below below;
  const std::string beginning = folder + "/";
  const auto first = names_.lower_bound(beginning);
  auto last = first;
  for (; last != names_.end() && last->first.starts_with(beginning); ++last) {
    if (below.plans.size() < kMostFollowed)
      below.plans.push_back(last->second);
    else
      ++below.left_out;
  }
  names_.erase(first, last);
  return below;
}

std::uint32_t LearnedFiles::object_of(const FileBody& file, std::uint64_t boot_ns) const {
  if (file.ino != 0)
    if (const auto known = inodes_.find(inode_of(file)); known != inodes_.end()) return known->second;
  const bool may_be_named = last_named_ns_ + kNameLasts >= boot_ns && !names_.empty();
  return may_be_named && is_plain(file, file.at) ? object_named(file, boot_ns) : 0;
}

std::uint32_t LearnedFiles::object_named(const FileBody& file, std::uint64_t boot_ns) const {
  const auto named = names_.find(tidied(file.at.from_namespace()));
  if (named == names_.end()) return 0;
  const LearnPlan& plan = named->second;
  return plan.generation == file.generation && plan.boot_ns + kNameLasts >= boot_ns ? plan.object : 0;
}

}  // namespace aa
