// config/given.h: what a file says, before anybody asked whether it makes sense. The readers of each format end here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/load.h"

namespace aa {

// A value no key can have; holds its kind in words ("an array").
struct Misfit {
  std::string kind;
};

struct Given {
  std::string section;                                                    // "" when it stands outside any section
  std::string name;                                                       // "" for a whole section
  std::variant<std::int64_t, std::string, Misfit, std::monostate> value;  // monostate: a section's opening
  std::uint32_t line = 0;  // from 1; 0 when the format's reader does not tell
  std::uint32_t column = 0;
};

struct Read {
  std::vector<Given> given;
  std::vector<Problem> problems;  // the text could not be parsed: then `given` is empty
};

Read read_toml(std::string_view text, const std::string& file);
Read read_json(std::string_view text, const std::string& file);

}  // namespace aa
