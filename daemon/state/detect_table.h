// state/detect_table.h: what the detector knows, as data: families of programs, how they take code, rules.
//
// Comes in: the text of a table (detect_rules.cpp holds the shipped one; docs/detection.md explains its lines). Goes
// out: the table, or one sentence with the line that is wrong. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "event/event.h"

namespace aa {

enum class DetectClass : std::uint8_t {
  shell,
  downloader,
  interpreter,
  reverse_shell,
  pipe_to_shell,
  encoded_payload,
  fileless_exec,
  exec_from_temp,
  escape,
};
std::string_view name_of(DetectClass detect_class);  // "shell" … "reverse-shell"

// Families as bits. The first are given by shape, not by name.
using Families = std::uint64_t;
inline constexpr Families kItself = 1;      // a program named by its path
inline constexpr Families kStdinShell = 2;  // a shell that reads its commands from standard input
inline constexpr Families kVariable = 4;    // whatever a variable holds is run
inline constexpr Families kNetwork = 8;     // a shell's own connection: /dev/tcp/HOST/PORT

// A program is of a family: always, or only with one of these options.
struct Membership {
  Families family = 0;
  std::vector<std::string> with_options;
};

// How the programs of a family take code.
struct Runner {
  Families family = 0;
  std::vector<std::string> inline_options;  // -c
  std::vector<std::string> module_options;  // -m: what follows is neither code nor a file
  std::vector<std::string> value_options;   // options with a value of their own
  std::vector<std::string> file_options;    // -f: a file whose text is run
  std::vector<std::string> text_options;    // -o: its value, also behind NAME=, is shell text
  std::vector<std::string> never_options;   // -n: nothing is run
  bool shell = false;                       // the code is shell text
  bool texts = false;                       // any argument may hold commands: x=COMMAND, system("COMMAND")
};

// A program that runs another one that its arguments name.
struct Wrapper {
  std::vector<std::string> value_options;
  std::vector<std::string> script_options;  // -c: shell text
  std::vector<std::string> split_options;   // -S: words
  std::vector<std::string> exec_options;    // -exec: the command is behind it
  std::vector<std::string> stop_options;    // -v: nothing is run
  std::size_t positionals = 0;              // own arguments before the command
  bool assignments = false;                 // NAME=VALUE may stand before the command
  bool joined = false;                      // its arguments are one shell text
  bool first = false;                       // the first of them is
  bool feeds = false;                       // what it reads becomes arguments of the command
};

enum class RuleScope : std::uint8_t { command, flow, pipe, line, exec };
enum class Test : std::uint8_t {
  any,
  line,
  has,
  none,
  word,
  path,
  elsewhere,
  operand,
  option,
  without,
  stdin_code,
  memfd,
  deleted,
  inet,
  renamed,
  redirect,
  target
};

struct Condition {
  Test test = Test::any;
  std::vector<std::string> values;
};

struct Rule {
  std::string name;
  DetectClass detect_class = DetectClass::shell;
  Severity severity = Severity::info;
  RuleScope scope = RuleScope::command;
  Families first = 0;   // command: whose; flow, pipe: from
  Families second = 0;  // flow, pipe: to
  std::vector<Condition> conditions;
  std::string sentence;
};

struct DetectTable {
  std::map<std::string, std::vector<Membership>, std::less<>> programs;
  std::map<std::string, Families, std::less<>> families;
  std::vector<Runner> runners;
  std::map<std::string, Wrapper, std::less<>> wrappers;
  std::vector<Rule> rules;  // in order: of equal severity the first is told
};

// "line 12: …" says what is wrong with a table.
std::variant<DetectTable, std::string> parse_detect_table(std::string_view text);

// What somebody adds to a table, and which of its rules do not count. Own rules come before the table's: of equal
// severity they are told.
struct DetectChange {
  std::vector<std::string> off;   // names of rules
  std::vector<std::string> rows;  // lines of a table

  bool operator==(const DetectChange&) const = default;
};
struct DetectProblem {
  std::size_t row = 0;  // of rows, from 0
  std::string what;
};
// The changed table, or what is wrong with every row; a name of `off` that no rule has is nobody's.
std::variant<DetectTable, std::vector<DetectProblem>> change_detect_table(DetectTable table,
                                                                          const DetectChange& change);

std::string_view shipped_detect_rules();  // the text
const DetectTable& shipped_detect_table();

// `*` is anything, `?` one character. O(pattern × text) at worst.
bool matches_glob(std::string_view pattern, std::string_view text);

// The program a path names: no folder, no login dash, no version ("/usr/bin/python3.11" → "python").
std::string program_name(std::string_view path, const DetectTable& table);

}  // namespace aa
