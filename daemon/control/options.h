// control/options.h: a caller's a{sv}, read without trust.
//
// Comes in: a dictionary from the bus. Goes out: typed values, or Refused(InvalidArgument) that names the key: unknown
// keys and wrong types are errors, because a misspelt key that is silently ignored would change what is watched.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "control/refuse.h"
#include "control/types.h"

namespace aa {

class Options {
 public:
  // `what` names the argument in sentences ("option", "filter key"). Refuses a key outside `known`.
  Options(const Dict& dict, std::string_view what, std::initializer_list<std::string_view> known);

  // nullopt when the key is absent. Refuses a value of another type.
  std::optional<std::string> text(const std::string& key) const { return read<std::string>(key, "a string (s)"); }
  std::optional<bool> flag(const std::string& key) const { return read<bool>(key, "a boolean (b)"); }
  std::optional<std::uint32_t> number(const std::string& key) const {
    return read<std::uint32_t>(key, "an unsigned number (u)");
  }
  std::optional<std::vector<std::string>> texts(const std::string& key) const {
    return read<std::vector<std::string>>(key, "an array of strings (as)");
  }

 private:
  template <class T>
  std::optional<T> read(const std::string& key, const char* shape) const {
    const auto entry = dict_.find(key);
    if (entry == dict_.end()) return std::nullopt;
    if (!entry->second.template containsValueOfType<T>()) refuse_type(key, shape);
    return entry->second.template get<T>();
  }
  [[noreturn]] void refuse_type(const std::string& key, const char* shape) const;

  const Dict& dict_;
  std::string what_;
};

}  // namespace aa
