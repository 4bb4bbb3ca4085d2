// event/shell_words.h: the words of a shell script, and where in it each of their bytes stands.
//
// Comes in: text that a shell may be given. Goes out: commands, each a row of words as the program would get them:
// without quotes and backslashes, before anything is expanded. Comments and here-documents are words like others. Pure;
// cost: the length.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace aa {

struct ShellWord {
  std::string text;
  std::vector<std::size_t> at;  // of each byte of `text`: its place in the script
};
using ShellCommand = std::vector<ShellWord>;

std::vector<ShellCommand> shell_commands(std::string_view script);

}  // namespace aa
