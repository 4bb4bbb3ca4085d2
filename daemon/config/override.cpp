#include "config/override.h"

#include <charconv>

#include "base/text.h"
#include "config/keys.h"

namespace aa {
namespace {

// None: "".
std::vector<std::string> listed(const std::string& value) {
  return value.empty() ? std::vector<std::string>() : split(value, ",");
}

std::optional<std::string> store_text(const Key& key, const std::string& value, Config& config) {
  if (std::holds_alternative<ListKey>(key.type)) return store(key, listed(value), config);
  if (std::holds_alternative<TextKey>(key.type)) return store(key, value, config);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || value.empty())
    return "'" + value + "' is not a whole number: give " + key.allowed();
  return store(key, number, config);
}

}  // namespace

std::optional<std::string> override_config(std::string_view assignment, Config& config) {
  if (to_utf8(assignment) != assignment) return "is no text: its bytes are not UTF-8";
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos) return "write it as KEY=VALUE, for example watched.limit=65536";
  const std::string name(assignment.substr(0, equals));
  const Key* key = find_key(name);
  if (key == nullptr) return "there is no key '" + name + "': docs/config.md lists them";
  auto problem = store_text(*key, std::string(assignment.substr(equals + 1)), config);
  if (!problem) config.origin[name] = "command line";
  return problem;
}

}  // namespace aa
