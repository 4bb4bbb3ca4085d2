// config/load.h: files → a whole, valid Config, or every problem in all of them.
//
// Comes in: the main file, the files of conf.d beside it, single values of the command line, and the rule files that
// these name. TOML; JSON where a name ends in .json. Goes out: a Config, or all that is wrong: never half a
// configuration. Knows nothing of who uses the values.
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
  std::uint32_t line = 0;  // from 1; 0: the file as a whole
  std::uint32_t column = 0;
  std::string key;       // "watched.limit", "paths.rules[0].verdict", "" when no key is at fault
  std::string sentence;  // what is wrong and what would be right

  std::string text() const;  // "FILE:LINE:COLUMN: KEY SENTENCE": one line, safe on a terminal
};

using Loaded = std::variant<Config, std::vector<Problem>>;

enum class Missing : std::uint8_t { is_a_problem, means_defaults };

struct Request {
  std::string file;  // files of conf.d in the same folder are read after it, in the order of their names
  Missing missing = Missing::is_a_problem;  // of the file itself
  std::vector<std::string> set;             // KEY=VALUE, over all files
};

// Where the files lie that are read after the main one, and whether a name is one of them.
std::string drop_in_folder(const std::string& main_file);
bool is_config_name(std::string_view name);

// Reads at most 1 MiB from a file, 16 MiB from a rule file; trusts none that others could have written.
Loaded load_config(const Request& request);

// One file's text that is at hand; `file` names it in problems and decides the format.
Loaded parse_config(std::string_view text, const std::string& file);

// TOML with every key, its value now and where it came from. Loading it gives the same values.
std::string print_config(const Config& config);

}  // namespace aa
