#include "config/value.h"

namespace aa {

std::string Value::kind() const {
  if (const auto* misfit = std::get_if<Misfit>(&held)) return misfit->kind;
  if (std::holds_alternative<std::int64_t>(held)) return "an integer";
  if (std::holds_alternative<std::string>(held)) return "a string";
  return std::holds_alternative<List>(held) ? "a list" : "a table";
}

}  // namespace aa
