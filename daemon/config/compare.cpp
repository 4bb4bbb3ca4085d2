#include "config/compare.h"

namespace aa {

DetectChange detect_change_of(const Config& config) {
  DetectChange change{config.detect.off, {}};
  for (const DetectRow& one : config.detect.own) change.rows.push_back(one.row);
  return change;
}

std::vector<std::string> differing(const Config& a, const Config& b, std::optional<Applies> only) {
  std::vector<std::string> out;
  for (const Key& key : all_keys())
    if ((!only || key.applies == *only) && value_of(key, a) != value_of(key, b)) out.push_back(key.dotted());
  if (only == Applies::restart) return out;
  if (a.paths.rules != b.paths.rules) out.emplace_back("paths.rules");  // also when a rule file's content changed
  if (a.detect.own != b.detect.own) out.emplace_back("detect.table");
  if (a.targets != b.targets) out.emplace_back("targets");
  return out;
}

}  // namespace aa
