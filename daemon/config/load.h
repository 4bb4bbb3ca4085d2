// config/load.h: a file → a whole, valid Config, or every problem in it.
//
// Comes in: the path of a TOML file, or a JSON file (its name ends in .json). Goes out: a Config, or all that is wrong:
// never half a configuration. Knows nothing of who uses the values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace aa {

struct Problem {
  std::string file;
  std::uint32_t line = 0;  // from 1; 0: the file as a whole, or a place its format does not tell
  std::uint32_t column = 0;
  std::string key;       // "watched.limit", "" when no key is at fault
  std::string sentence;  // what is wrong and what would be right

  std::string text() const;  // "FILE:LINE:COLUMN: KEY SENTENCE": one line, safe on a terminal
};

using Loaded = std::variant<Config, std::vector<Problem>>;

enum class Missing : std::uint8_t { is_a_problem, means_defaults };

// Reads at most 1 MiB from a regular file.
Loaded load_config(const std::string& path, Missing missing);

// The same for text that is at hand; `file` names it in problems and decides the format.
Loaded parse_config(std::string_view text, const std::string& file);

// What is wrong with values that are each fine alone, in a sentence about watched.share; nullopt: nothing. Loading asks
// it; whoever changes a loaded Config asks again.
std::optional<std::string> contradiction(const Config& config);

// A share that nobody gave is never more than the limit.
void lower_default_share(Config& config);

// TOML with every key, its value now and where it came from. Loading it gives the same values.
std::string print_config(const Config& config);

}  // namespace aa
