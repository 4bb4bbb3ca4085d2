// config/records.h: the one table of what a configuration may hold in any number: [[targets]], [[paths.rules]].
//
// A record is a table of fields. Records of all files add up, in the order of the files.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/value.h"

namespace aa {

// What is being read: one of these, by the record.
struct Draft {
  PathRule rule;
  TargetWish target;
  DetectRow row;
  std::uint32_t selectors = 0;  // fields of the target that say who is meant
};

struct Field {
  std::string_view name;
  enum class Type : std::uint8_t { integer, text, list } type;
  std::string_view allowed;                                             // in words for people
  std::string_view text;                                                // one sentence for people
  std::optional<std::string> (*set)(const Value& value, Draft& draft);  // says what is wrong with a value of that type
  std::optional<std::string> (*wrong)(const std::string& item) = nullptr;  // each item of a list, before it is set
};

struct Record {
  std::string_view dotted;  // "paths.rules"
  std::string_view text;
  std::span<const Field> fields;
  // The whole taken into the configuration, or what is wrong with it.
  std::optional<std::string> (*store)(Draft draft, Config& config);
};

std::span<const Record> all_records();

// Its fields as a TOML file spells them, one a line.
std::string toml_text(const PathRule& rule);
std::string toml_text(const TargetWish& target);
std::string toml_text(const DetectRow& row);

}  // namespace aa
