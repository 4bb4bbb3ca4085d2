#include "base/result.h"

#include <system_error>

namespace aa {

std::string Error::text() const {
  std::string line = doing;
  if (errno_value != 0) line += ": " + std::generic_category().message(errno_value);
  if (!hint.empty()) line += " (" + hint + ")";
  return line;
}

}  // namespace aa
