#include "event/stream_filter.h"

#include <algorithm>

namespace aa {

bool StreamFilter::passes(const Event& event) const {
  // What was lost, or not observed, may have been the target's.
  const bool concerns_all = std::holds_alternative<LossBody>(event.body) || std::holds_alternative<GapBody>(event.body);
  if (!target.empty() && !(event.target ? event.target->id == target : concerns_all)) return false;
  if (!types.empty() && std::find(types.begin(), types.end(), type_name(event.body)) == types.end()) return false;
  const auto* alert = std::get_if<AlertBody>(&event.body);
  return alert == nullptr || !min_severity || alert->severity >= *min_severity;
}

}  // namespace aa
