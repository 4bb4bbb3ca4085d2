// state/command_words.h: the words of one command, looked at as options, assignments and paths. Private to the files of
// command_view.h.
//
// Comes in: words as a shell left them. Goes out: which option it is, where its value stands. Knows no program.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state/shell_script.h"

namespace aa {

using Words = std::vector<shell::Word>;
using Options = std::vector<std::string>;

bool is_letter(char c);
bool contains(const Options& options, std::string_view text);
bool is_assignment(std::string_view text);  // NAME=VALUE, no option and no path
bool is_stdin_path(std::string_view path);
std::string file_key(std::string_view path);  // "./x" is "x"
std::string join(const Words& words, std::size_t from);

// Where in `text` the letter of a short option of `options` stands in a cluster; npos: nowhere.
std::size_t in_cluster(std::string_view text, const Options& options);
// "--x=value" of one of `options`: where the value begins; npos: it is none of them.
std::size_t after_equals(std::string_view text, const Options& options);
bool is_option(std::string_view text, const Options& options);
// Does `text`, one of `options` or a cluster that ends in one, take the next word: "-u", "-iu"?
bool takes_next(std::string_view text, const Options& options);
// The value of words[i] when it is one of `options`: behind "=", attached, or the next word.
std::optional<shell::Word> option_value(const Words& words, std::size_t i, const Options& options);

}  // namespace aa
