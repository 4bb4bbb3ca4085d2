// state/shell_expand.cpp: what a word is made of: quotes, $…, `…`, <(…), and what literals alone make of them.
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "state/shell_word.h"

namespace aa::shell {
namespace {

// \n \t \x41 \101 \u0041 of $'…' and printf; `at` is behind the backslash and ends at the last character used.
char unescape(std::string_view text, std::size_t& at) {
  const char c = text[at];
  const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '7' ? 3 : 0;
  if (digits == 0) {
    constexpr std::string_view kFrom = "ntrabfve", kTo = "\n\t\r\a\b\f\v\x1b";
    const std::size_t known = kFrom.find(c);
    return known == std::string_view::npos ? c : kTo[known];
  }
  const bool octal = c >= '0' && c <= '7';
  const std::string_view number = text.substr(octal ? at : at + 1, octal && c == '0' ? 4 : digits);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value, octal ? 8 : 16);
  if (error != std::errc()) return c;
  at += static_cast<std::size_t>(end - number.data()) - (octal ? 1 : 0);
  return static_cast<char>(value);
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) {
      out.push_back(unescape(text, ++at));
    } else {
      out.push_back(text[at]);
    }
  }
  return out;
}

}  // namespace

std::string literal_output(const Stage& stage) {
  const std::vector<Word>& words = stage.words;
  if (words.empty()) return {};
  if (words[0].text == "cat" && !stage.redirects.empty()) {
    const Redirect& last = stage.redirects.back();
    return last.op == "<<" || last.op == "<<<" ? last.target.text : std::string();
  }
  if (words[0].text != "echo" && words[0].text != "printf") return {};
  std::string said;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const bool option = i == 1 && words[i].text.starts_with("-") && words[i].text.size() <= 3;
    const bool format = i == 1 && words[0].text == "printf" && words[i].text.starts_with("%");
    if (option || format) continue;
    if (!said.empty()) said += ' ';
    said += words[i].text;
  }
  return unescaped(said);
}

void WordReader::read_single(Word& word) {
  const std::size_t end = std::min(text_.size(), text_.find('\'', at_ + 1));
  word.text.append(text_.substr(at_ + 1, end - at_ - 1));
  at_ = std::min(text_.size(), end + 1);
}

void WordReader::read_double(Word& word) {
  ++at_;
  while (!at_end() && peek() != '"') {
    if (peek() == '\\' && at_ + 1 < text_.size()) {
      if (std::string_view("\"\\$`\n").find(peek(1)) == std::string_view::npos) word.text.push_back('\\');
      if (peek(1) != '\n') word.text.push_back(peek(1));
      at_ += 2;
    } else if (peek() == '$') {
      read_dollar(word, true);
    } else if (peek() == '`') {
      read_backticks(word);
    } else {
      word.text.push_back(text_[at_++]);
    }
  }
  skip(1);
}

void WordReader::read_escaped(Word& word) {
  std::size_t end = at_;
  while (end < text_.size() && text_[end] != '\'') end += text_[end] == '\\' ? 2 : 1;
  end = std::min(end, text_.size());
  word.text += unescaped(text_.substr(at_, end - at_));
  at_ = std::min(text_.size(), end + 1);
}

void WordReader::read_dollar(Word& word, bool quoted) {
  const char next = peek(1);
  if (next == '\'' && !quoted) {
    at_ += 2;
    return read_escaped(word);
  }
  if (next == '"' && !quoted) {
    ++at_;
    return read_double(word);
  }
  if (next == '(' && peek(2) == '(') return skip_past("))");
  if (next == '(') {
    at_ += 2;
    return read_nested(word, '$');
  }
  if (next == '{') return read_braced(word);
  std::size_t end = at_ + 1;
  while (end < text_.size() && is_name(text_[end])) ++end;
  if (end == at_ + 1) {
    if (next == '@' || next == '*') {
      add_variable(word, "@");
      skip(2);
    } else {
      word.text.push_back('$');
      skip(1);
    }
    return;
  }
  if (is_digit(text_[at_ + 1])) end = at_ + 2;
  const std::string_view name = text_.substr(at_ + 1, end - at_ - 1);
  at_ = end;
  if (name == "IFS" && !quoted) {
    word.text.push_back(kSplit);
  } else {
    add_variable(word, name);
  }
}

void WordReader::read_braced(Word& word) {
  int depth = 0;
  std::size_t end = at_ + 1;
  for (; end < text_.size(); ++end) {
    if (text_[end] == '{') ++depth;
    if (text_[end] == '}' && --depth == 0) break;
  }
  const std::string_view inner = text_.substr(at_ + 2, end > at_ + 2 ? end - at_ - 2 : 0);
  at_ = std::min(text_.size(), end + 1);
  std::size_t name = 0;
  while (name < inner.size() && (is_name(inner[name]) || (name == 0 && inner[0] == '@'))) ++name;
  if (inner == "IFS" || inner.starts_with("IFS%") || inner.starts_with("IFS:")) {
    word.text.push_back(kSplit);
  } else if (name == inner.size() || variables_.contains(inner.substr(0, name))) {
    add_variable(word, inner.substr(0, name));
  } else {
    const std::size_t dash = inner.find('-', name);
    if (dash != std::string_view::npos && dash <= name + 1) {
      word.text.append(inner.substr(dash + 1));
    } else if (name > 0) {
      add_variable(word, inner.substr(0, name));
    }
  }
}

void WordReader::add_variable(Word& word, std::string_view name) {
  const auto known = variables_.find(name);
  if (known == variables_.end()) {
    if (name != "@" && !(name.size() == 1 && name[0] >= '1' && name[0] <= '9')) word.text.append("$").append(name);
    return;
  }
  const std::size_t cost = known->second.text.size() + 64 * known->second.made_by.size();
  if (cost > budget_.bytes) return;  // a=$a$a$a must not grow without end
  budget_.bytes -= cost;
  word.text += known->second.text;
  word.made_by.insert(word.made_by.end(), known->second.made_by.begin(), known->second.made_by.end());
}

void WordReader::read_backticks(Word& word) {
  std::string inner;
  for (++at_; !at_end() && peek() != '`'; ++at_) {
    if (peek() == '\\' && (peek(1) == '`' || peek(1) == '\\' || peek(1) == '$')) ++at_;
    if (!at_end()) inner.push_back(peek());
  }
  skip(1);
  add_output(word, inner, '$');
}

// Finds the matching parenthesis; quotes inside hide theirs.
void WordReader::read_nested(Word& word, char kind) {
  const std::size_t begin = at_;
  int depth = 1;
  char quote = '\0';
  for (; !at_end(); ++at_) {
    const char c = peek();
    if (c == '\\' && quote != '\'') {
      ++at_;
    } else if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')' && --depth == 0) {
      break;
    }
  }
  at_ = std::min(at_, text_.size());
  const std::string_view inner = text_.substr(begin, at_ - begin);
  skip(1);
  add_output(word, inner, kind);
}

void WordReader::add_output(Word& word, std::string_view inner, char kind) {
  auto script = std::make_shared<Script>(parse(inner, variables_, budget_));
  const bool single = script->pipelines.size() == 1 && script->pipelines[0].stages.size() == 1;
  if (kind == '>') {
    word.given_to.push_back(std::move(script));
    return;
  }
  if (kind == '$' && single) word.text += literal_output(script->pipelines[0].stages[0]);
  word.fed = word.fed || kind == '<';
  word.made_by.push_back(std::move(script));
}

}  // namespace aa::shell
