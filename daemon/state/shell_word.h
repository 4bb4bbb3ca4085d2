// state/shell_word.h: the words of a shell text: quotes, expansions, redirections. Private to shell_script.cpp.
//
// shell_word.cpp: positions, words, redirections; shell_expand.cpp: what words are made of.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "state/shell_script.h"

namespace aa::shell {

inline constexpr char kSplit = '\x1f';  // in a word that is being read: where an unquoted $IFS stood

bool is_name(char c);  // may be part of a variable's name

// A position in the text, and what can be read there.
class WordReader {
 public:
  WordReader(std::string_view text, Variables& variables, Budget& budget)
      : text_(text), variables_(variables), budget_(budget) {}

  bool at_end() const { return at_ >= text_.size(); }
  std::size_t position() const { return at_; }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool starts_with(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  void skip(std::size_t count) { at_ = std::min(text_.size(), at_ + count); }
  void skip_all() { at_ = text_.size(); }
  void skip_past(std::string_view what);
  void skip_blanks();      // and continued lines, comments
  void skip_newlines();    // and blanks
  void skip_separators();  // and ; &
  bool at_word() const;    // something that begins a word, after blanks

  std::string_view bare_word() const;  // up to a blank or operator, unread; quotes are part of it
  Word read_word();
  std::vector<Word> read_words();  // one word, or several where {a,b} or $IFS make it so
  bool read_assignment();          // NAME=WORD, kept in variables()
  bool read_redirect(Redirect& out);
  // The lines of a here-document, cut out of the text after this line.
  std::string take_document(const std::string& mark, bool strip_tabs);

  Variables& variables() { return variables_; }

 private:
  void read_single(Word& word);
  void read_double(Word& word);
  void read_escaped(Word& word);  // $'…'
  void read_dollar(Word& word, bool quoted);
  void read_braced(Word& word);  // ${…}
  void read_backticks(Word& word);
  void read_nested(Word& word, char kind);  // after "(": up to its ")"; of "$(" "<(" ">("
  void add_variable(Word& word, std::string_view name);
  void add_output(Word& word, std::string_view inner, char kind);

  std::string_view text_;
  std::size_t at_ = 0;
  Variables& variables_;
  Budget& budget_;
  std::vector<std::pair<std::size_t, std::size_t>> documents_;  // taken already: begin, end
};

}  // namespace aa::shell
