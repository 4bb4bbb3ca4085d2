// state/shell_script.h: what a shell would make of a text: pipelines of commands, with quotes taken off.
//
// Comes in: the text behind `sh -c`, a here-document, what `eval` is given. Goes out: its commands, nested as they are
// written. A reader, not a shell: it never fails, expands only what the text itself says (quotes, literal variables,
// `echo` of literals), and takes from the rest what it can. Pure; bounded by a budget of bytes and a depth.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aa::shell {

struct Script;

struct Word {
  std::string text;                                          // without quotes; outputs of commands are left out
  std::vector<std::shared_ptr<const Script>> made_by;        // $(…) `…` <(…) whose output is part of it
  bool pattern = false;                                      // an unquoted * ? [ is in it
  bool fed = false;                                          // made_by is read as a file: <(…)
  std::vector<std::shared_ptr<const Script>> given_to = {};  // >(…): what is written into it, these read
};

struct Redirect {
  std::string op;  // "<" ">" ">>" "<>" ">&" "<&" "&>" "<<<" and "<<", whose target is the document itself
  int fd = -1;     // the number before it
  Word target;
};

// One part of a pipeline: a simple command, or a group ( … ), { … }, loop or condition.
struct Stage {
  std::vector<Word> words;
  std::vector<Redirect> redirects;
  std::shared_ptr<const Script> group;
  std::string defines;  // the function whose body the group is
};

struct Pipeline {
  std::vector<Stage> stages;
};

struct Script {
  std::vector<Pipeline> pipelines;
};

using Variables = std::map<std::string, Word, std::less<>>;

// How much may still be read, over all nested texts; a text is not read when it is used up.
struct Budget {
  std::size_t bytes = 512 * 1024;
  int depth = 12;
};

// `variables` are what is known at the start, and afterwards also what the text assigned. O(text).
Script parse(std::string_view text, Variables& variables, Budget& budget);

// What `echo` or `printf` of literals, or `cat` of a here-document, says; "" for any other command.
std::string literal_output(const Stage& stage);

// The texts between quotes (' " ` qx{} %x()) of a program in another language, escapes taken off: what it may hand to a
// shell.
std::vector<std::string> quoted_strings(std::string_view code);

}  // namespace aa::shell
