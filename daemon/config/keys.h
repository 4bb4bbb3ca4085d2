// config/keys.h: the one table of configuration keys. What is shipped and documented is compared with it by tests.
//
// A key is a single value in a section; what comes in any number ([[targets]]) is in records.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace aa {

// When a changed value takes effect.
enum class Applies : std::uint8_t { live, restart };

struct IntegerKey {
  std::uint64_t& (*field)(Config&);
  std::uint64_t low;
  std::uint64_t high;
  bool power_of_two = false;
};

struct TextKey {
  std::string& (*field)(Config&);
  std::span<const std::string_view> choices;                          // empty: "" or an absolute path
  std::optional<std::string> (*wrong)(const std::string&) = nullptr;  // says what is wrong; null: the above holds
  std::string_view allowed = {};                                      // with `wrong`: in words
};

struct ListKey {
  std::vector<std::string>& (*field)(Config&);
  std::optional<std::string> (*wrong)(const std::string&);  // of one element
  std::string_view allowed;
};

struct Key {
  std::string_view section;
  std::string_view name;
  std::variant<IntegerKey, TextKey, ListKey> type;
  Applies applies;
  std::string_view text;  // one sentence for people

  std::string dotted() const;   // "watched.limit"
  std::string allowed() const;  // "16 to 1048576", in words for people
};

using KeyValue = std::variant<std::uint64_t, std::string, std::vector<std::string>>;

std::span<const Key> all_keys();  // by section
const Key* find_key(std::string_view dotted);
std::string_view name_of(Applies applies);

KeyValue value_of(const Key& key, const Config& config);
std::string toml_text(const KeyValue& value);  // 8192, "info", ["a", "b"]: as a TOML file spells it

// Stores a value of the key's type, or says in one sentence why it may not be; then nothing is changed.
std::optional<std::string> store(const Key& key, std::int64_t value, Config& config);
std::optional<std::string> store(const Key& key, const std::string& value, Config& config);
std::optional<std::string> store(const Key& key, const std::vector<std::string>& value, Config& config);
std::string wrong_type(const Key& key, std::string_view got);  // the sentence for a value of another type

}  // namespace aa
