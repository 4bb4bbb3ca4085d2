#include "event/shell_words.h"

namespace aa {
namespace {

constexpr std::string_view kBlank = " \t";
constexpr std::string_view kBetweenCommands = "\n;|&()`";
constexpr std::string_view kBetweenWords = "<>";
constexpr std::string_view kEscapedInQuotes = "$`\"\\\n";

class Splitter {
 public:
  explicit Splitter(std::string_view script) : script_(script) {}

  std::vector<ShellCommand> take() {
    while (at_ < script_.size()) step();
    end_command();
    return std::move(commands_);
  }

 private:
  void step() {
    const char character = script_[at_];
    if (character == '\\')
      take_escaped();
    else if (quote_ != '\0' || character == '\'' || character == '"')
      take_quoted(character);
    else if (kBetweenCommands.find(character) != std::string_view::npos)
      end_command(character);
    else if (kBlank.find(character) != std::string_view::npos ||
             kBetweenWords.find(character) != std::string_view::npos)
      end_word();
    else
      take_plain(character);
    ++at_;
  }

  // The second of two dollars is no other's beginning: "$$" is a number.
  void take_plain(char character) {
    is_dollar_ = character == '$' && !is_behind_dollar();
    keep();
  }

  // Behind a dollar single quotes know backslashes, and neither is of the word.
  void take_quoted(char character) {
    if (quote_ == '\0') {
      has_escapes_ = character == '\'' && is_behind_dollar();
      if (has_escapes_) drop_last();
      quote_ = character;
      is_word_ = true;
    } else if (character == quote_) {
      quote_ = '\0';
    } else {
      keep();
    }
  }

  // A backslash before a line's end is nothing, and so is that; between quotes it stands for itself before most bytes.
  void take_escaped() {
    const char next = at_ + 1 < script_.size() ? script_[at_ + 1] : '\0';
    const bool is_plain = quote_ == '\'' && !has_escapes_;
    if (next == '\0' || is_plain || (quote_ == '"' && kEscapedInQuotes.find(next) == std::string_view::npos))
      return keep();
    ++at_;
    is_dollar_ = false;
    if (next != '\n') keep();
  }

  bool is_behind_dollar() const { return is_dollar_ && !word_.at.empty() && word_.at.back() + 1 == at_; }

  void drop_last() {
    word_.text.pop_back();
    word_.at.pop_back();
  }

  void keep() {
    word_.text.push_back(script_[at_]);
    word_.at.push_back(at_);
    is_word_ = true;
  }

  void end_word() {
    if (is_word_) command_.push_back(std::move(word_));
    word_ = {};
    is_word_ = false;
  }

  // "$(": what begins there is no word's.
  void end_command(char character = '\n') {
    if (character == '(' && is_behind_dollar()) drop_last();
    end_word();
    if (!command_.empty()) commands_.push_back(std::move(command_));
    command_.clear();
  }

  std::string_view script_;
  std::size_t at_ = 0;
  char quote_ = '\0';
  bool has_escapes_ = false;  // the quote is $'
  bool is_dollar_ = false;    // the last byte out of quotes was one
  bool is_word_ = false;
  ShellWord word_;
  ShellCommand command_;
  std::vector<ShellCommand> commands_;
};

}  // namespace

std::vector<ShellCommand> shell_commands(std::string_view script) {
  return Splitter(script).take();
}

}  // namespace aa
