// state/command_view.h: one exec's argv, opened: the commands it leads to, and what flows from one into another.
//
// Comes in: argv and the table. Goes out: every command that argv itself, `-c` texts, wrappers (sudo, env, xargs, …),
// substitutions and here-documents lead to, and flows of output into code. Pure; bounded, so that a hostile argv costs
// milliseconds at most.
#pragma once

#include <string>
#include <vector>

#include "state/detect_table.h"
#include "state/shell_script.h"

namespace aa {

struct OpenedCommand {
  std::vector<shell::Word> words;  // [0] the program
  std::size_t own = 0;             // words of its own: what stands before its operand, or the program it runs
  std::vector<std::string> names;  // program names it goes by
  Families families = 0;
  std::string text;         // words and redirections, joined by blanks
  std::string operand;      // of a runner: the file it runs; "" none
  bool stdin_code = false;  // of a runner: it runs what it reads
};

struct Flow {
  Families from = 0;
  Families to = 0;
  bool as_code = false;  // `to` runs it; else only reads it
};

struct CommandView {
  std::vector<OpenedCommand> commands;
  std::vector<Flow> flows;
  std::string text;                    // every command's text, joined by blanks
  std::vector<std::string> redirects;  // ">/etc/x", and those in code of other languages too
  Families output = 0;                 // what standard output may carry: of all these commands, and what came in
};

// `exe` adds a name to the first command ("" unknown); `upstream` is what standard input carries.
CommandView view_command(const std::vector<std::string>& argv, std::string_view exe, Families upstream,
                         const DetectTable& table);

// Is one of these options among the first `own` words? "-c" also as part of a cluster such as "-lc", "--x" as "--x=…".
bool has_option(const std::vector<shell::Word>& words, std::size_t own, const std::vector<std::string>& options);

}  // namespace aa
