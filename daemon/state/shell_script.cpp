#include "state/shell_script.h"

#include <algorithm>
#include <array>

#include "state/shell_word.h"

namespace aa::shell {
namespace {

constexpr std::array<std::string_view, 6> kOpening = {"if", "while", "until", "for", "case", "select"};
constexpr std::array<std::string_view, 3> kClosing = {"fi", "done", "esac"};
constexpr std::array<std::string_view, 8> kBetween = {"then", "do", "else", "elif", "!", "time", "function", "coproc"};

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Recursive descent; `end` says what closes the list that is being read.
class Parser {
 public:
  Parser(std::string_view text, Variables& variables, Budget& budget) : in_(text, variables, budget) {}

  Script run() {
    Script script;
    while (!in_.at_end()) {
      list(script, "");
      if (!in_.at_end()) in_.skip(1);  // a closing that nothing opened
    }
    return script;
  }

 private:
  // Commands up to the closing word or character, which is taken.
  void list(Script& script, std::string_view end) {
    if (++nesting_ > kNestingMax) in_.skip_all();
    bool pattern = end == "esac";  // of `case`: what stands before its ")" is no command
    while (!in_.at_end()) {
      in_.skip_newlines();
      pattern = pattern || (end == "esac" && (in_.starts_with(";;") || in_.starts_with(";&")));
      in_.skip_separators();
      if (in_.at_end() || closes(end)) break;
      if (pattern) {
        in_.skip_past(")");
        pattern = false;
        continue;
      }
      if (in_.peek() == ')') break;
      const std::size_t before = in_.position();
      Pipeline pipeline = read_pipeline(end);
      if (!pipeline.stages.empty()) script.pipelines.push_back(std::move(pipeline));
      if (in_.position() == before) in_.skip(1);
    }
    --nesting_;
  }

  bool closes(std::string_view end) {
    if (end == ")" && in_.peek() == ')') {
      in_.skip(1);
      return true;
    }
    const std::string_view word = in_.bare_word();
    if (word.empty() || (word != end && !(end == "fi" && is_one_of(word, kClosing)))) return false;
    in_.skip(word.size());
    return true;
  }

  Pipeline read_pipeline(std::string_view end) {
    Pipeline pipeline;
    for (;;) {
      Stage stage = read_stage(end);
      if (!stage.words.empty() || !stage.redirects.empty() || stage.group) pipeline.stages.push_back(std::move(stage));
      in_.skip_blanks();
      if (in_.peek() != '|' || in_.peek(1) == '|') return pipeline;
      in_.skip(in_.peek(1) == '&' ? 2 : 1);
      in_.skip_newlines();
      if (in_.at_end()) return pipeline;
    }
  }

  Stage read_stage(std::string_view end) {
    Stage stage;
    if (skip_keywords() == "function") return function(in_.read_word().text, end);
    in_.skip_blanks();
    const std::string_view word = in_.bare_word();
    if (in_.starts_with("((")) {
      in_.skip_past("))");
    } else if (word == "[[") {
      in_.skip_past("]]");
    } else if (in_.peek() == '(') {
      in_.skip(1);
      group(stage, ")");
    } else if (word == "{") {
      in_.skip(1);
      group(stage, "}");
    } else if (is_one_of(word, kOpening)) {
      in_.skip(word.size());
      if (word == "for" || word == "select") loop_head();
      if (word == "case") case_head();
      group(stage, word == "if" ? "fi" : word == "case" ? "esac" : "done");
    } else {
      return simple(end);
    }
    while (redirect(stage)) continue;
    return stage;
  }

  // The last of them; "" when there was none.
  std::string_view skip_keywords() {
    for (std::string_view last;;) {
      in_.skip_blanks();
      const std::string_view word = in_.bare_word();
      if (!is_one_of(word, kBetween)) return last;
      in_.skip(word.size());
      last = word;
    }
  }

  // The body is read as if it were called.
  Stage function(std::string name, std::string_view end) {
    in_.skip_blanks();
    if (in_.starts_with("()")) in_.skip(2);
    in_.skip_newlines();
    if (++nesting_ > kNestingMax) in_.skip_all();  // f() f() f() …
    Stage stage = read_stage(end);
    --nesting_;
    stage.defines = std::move(name);
    return stage;
  }

  void group(Stage& stage, std::string_view end) {
    auto inner = std::make_shared<Script>();
    list(*inner, end);
    stage.group = std::move(inner);
  }

  // `for NAME in WORD…`: the name is the words from here on.
  void loop_head() {
    in_.skip_blanks();
    const std::string name = in_.read_word().text;
    in_.skip_blanks();
    if (in_.bare_word() != "in") return;
    in_.skip(2);
    Word all;
    for (in_.skip_blanks(); in_.at_word(); in_.skip_blanks()) {
      const Word word = in_.read_word();
      all.text += (all.text.empty() ? "" : " ") + word.text;
      all.made_by.insert(all.made_by.end(), word.made_by.begin(), word.made_by.end());
    }
    in_.variables()[name] = std::move(all);
  }

  void case_head() {
    in_.skip_blanks();
    (void)in_.read_word();
    in_.skip_newlines();
    if (in_.bare_word() == "in") in_.skip(2);
  }

  bool redirect(Stage& stage) {
    in_.skip_blanks();
    Redirect found;
    if (!in_.read_redirect(found)) return false;
    if (found.op == "<<" || found.op == "<<-") {
      const std::string mark = in_.read_word().text;
      found.target.text = in_.take_document(mark, found.op.size() == 3);
      found.op = "<<";
    } else {
      in_.skip_blanks();
      found.target = in_.read_word();
    }
    stage.redirects.push_back(std::move(found));
    return true;
  }

  Stage simple(std::string_view end) {
    Stage stage;
    for (;;) {
      if (redirect(stage)) continue;
      if (!in_.at_word()) {
        if (stage.words.size() != 1 || !in_.starts_with("()")) break;
        return function(stage.words.front().text, end);
      }
      if (stage.words.empty() && in_.read_assignment()) continue;
      std::vector<Word> words = in_.read_words();
      stage.words.insert(stage.words.end(), std::make_move_iterator(words.begin()),
                         std::make_move_iterator(words.end()));
    }
    return stage;
  }

  static constexpr int kNestingMax = 64;
  WordReader in_;
  int nesting_ = 0;
};

}  // namespace

Script parse(std::string_view text, Variables& variables, Budget& budget) {
  if (budget.depth <= 0 || text.size() > budget.bytes) return {};
  budget.bytes -= text.size();
  --budget.depth;
  Script script = Parser(text, variables, budget).run();
  ++budget.depth;
  return script;
}

namespace {

// What ends the text that begins at `at`: quotes end themselves, qx{ q( %x[ by the other bracket; 0: none begins.
char closing_quote(std::string_view code, std::size_t at) {
  const char c = code[at];
  if (c == '\'' || c == '"' || c == '`') return c;
  constexpr std::string_view kOpen = "({[<|!/", kClose = ")}]>|!/";
  const std::size_t kind = kOpen.find(c);
  const std::string_view before = code.substr(0, at);
  const bool quotes = before.ends_with("qx") || before.ends_with("qq") || before.ends_with("%x");
  return kind != std::string_view::npos && quotes ? kClose[kind] : '\0';
}

}  // namespace

std::vector<std::string> quoted_strings(std::string_view code) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < code.size(); ++at) {
    const char quote = closing_quote(code, at);
    if (quote == '\0') continue;
    std::string text;
    std::size_t end = at + 1;
    for (; end < code.size() && code[end] != quote; ++end) {
      if (code[end] == '\\' && end + 1 < code.size()) ++end;
      text.push_back(code[end]);
    }
    if (end >= code.size()) break;
    out.push_back(std::move(text));
    at = end;
  }
  return out;
}

}  // namespace aa::shell
