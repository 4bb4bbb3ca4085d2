// config/value.h: what a file says, before anybody asked whether it makes sense. The readers of each format end here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/load.h"

namespace aa {

// A value no key can have; holds its kind in words ("true or false").
struct Misfit {
  std::string kind;
};

struct Member;

struct Value {
  using List = std::vector<Value>;
  using Table = std::vector<Member>;  // in the order of the file
  std::variant<Misfit, std::int64_t, std::string, List, Table> held;
  std::uint32_t line = 0;  // from 1
  std::uint32_t column = 0;

  std::string kind() const;  // "a string", "a list", …
};

struct Member {
  std::string name;
  Value value;
};

struct Read {
  Value root;                     // a table: what can be judged, an empty one where the text could not be read
  std::vector<Problem> problems;  // why not, and names that are given twice
};

// Nothing a configuration needs lies deeper; whoever walks a Value may recurse.
inline constexpr std::size_t kDeepest = 16;

Read read_toml(std::string_view text, const std::string& file);
Read read_json(std::string_view text, const std::string& file);

}  // namespace aa
