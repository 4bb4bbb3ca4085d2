#include "state/shell_word.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace aa::shell {
namespace {

constexpr char kBraceOpen = '\x1c', kBraceComma = '\x1d', kBraceClose = '\x1e';  // unquoted { , }

constexpr std::size_t kBraceBytes = 1024 * 1024;  // of the words that one {a,b} makes
constexpr std::size_t kWordCopies = 256 * 1024;   // of such words and of what each is made by

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool is_operator(char c) {
  return c == '|' || c == '&' || c == ';' || c == '(' || c == ')' || c == '<' || c == '>' || c == '\n';
}

// {a,b} at the top: one word each; else braces are themselves.
std::vector<std::string> brace_words(std::string text) {
  const std::size_t open = text.find(kBraceOpen), close = text.rfind(kBraceClose);
  std::vector<std::string> out;
  if (open != std::string::npos && close != std::string::npos && open < close &&
      text.find(kBraceComma) != std::string::npos) {
    const std::string before = text.substr(0, open), after = text.substr(close + 1);
    std::string inner = text.substr(open + 1, close - open - 1);
    std::size_t room = kBraceBytes;
    for (std::size_t begin = 0;;) {
      const std::size_t comma = inner.find(kBraceComma, begin);
      std::string word = before;
      word.append(inner, begin, comma == std::string::npos ? comma : comma - begin).append(after);
      out.push_back(std::move(word));
      if (comma == std::string::npos || out.back().size() > room) break;
      room -= out.back().size();
      begin = comma + 1;
    }
  } else {
    out.push_back(std::move(text));
  }
  for (std::string& word : out) {
    std::replace(word.begin(), word.end(), kBraceOpen, '{');
    std::replace(word.begin(), word.end(), kBraceComma, ',');
    std::replace(word.begin(), word.end(), kBraceClose, '}');
  }
  return out;
}

}  // namespace

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

void WordReader::skip_past(std::string_view what) {
  const std::size_t found = text_.find(what, at_);
  at_ = found == std::string_view::npos ? text_.size() : found + what.size();
}

void WordReader::skip_blanks() {
  for (;;) {
    if (is_blank(peek())) {
      ++at_;
    } else if (peek() == '\\' && peek(1) == '\n') {
      at_ += 2;
    } else if (peek() == '#' && (at_ == 0 || is_blank(text_[at_ - 1]) || is_operator(text_[at_ - 1]))) {
      at_ = std::min(text_.size(), text_.find('\n', at_));
    } else {
      return;
    }
    if (at_end()) return;
  }
}

void WordReader::skip_newlines() {
  for (skip_blanks(); peek() == '\n'; skip_blanks()) {
    ++at_;
    for (const auto& [begin, end] : documents_) {
      if (begin == at_) at_ = end;
    }
  }
}

void WordReader::skip_separators() {
  for (;;) {
    skip_newlines();
    if (peek() != ';' && peek() != '&' && !(peek() == '|' && peek(1) == '|')) return;
    at_ += peek() == '|' ? 2 : 1;
  }
}

bool WordReader::at_word() const {
  const bool process = (peek() == '<' || peek() == '>') && peek(1) == '(';
  return !at_end() && (process || (!is_operator(peek()) && !is_blank(peek())));
}

std::string_view WordReader::bare_word() const {
  std::size_t end = at_;
  while (end < text_.size() && !is_operator(text_[end]) && !is_blank(text_[end])) ++end;
  return text_.substr(at_, end - at_);
}

std::string WordReader::take_document(const std::string& mark, bool strip_tabs) {
  std::size_t begin = text_.find('\n', at_);
  if (begin == std::string_view::npos) return {};
  ++begin;
  for (const auto& [first, last] : documents_) {
    if (first == begin) begin = last;
  }
  std::string document;
  std::size_t at = begin;
  while (at < text_.size()) {
    const std::size_t end = std::min(text_.size(), text_.find('\n', at));
    std::string_view line = text_.substr(at, end - at);
    while (strip_tabs && line.starts_with('\t')) line.remove_prefix(1);
    at = std::min(text_.size(), end + 1);
    if (line == mark) break;
    document.append(line).push_back('\n');
  }
  const std::size_t line_start = text_.find('\n', at_) + 1;
  std::erase_if(documents_, [&](const auto& taken) { return taken.first == line_start; });
  documents_.emplace_back(line_start, at);
  return document;
}

bool WordReader::read_redirect(Redirect& out) {
  std::size_t digits = at_;
  while (digits < text_.size() && is_digit(text_[digits])) ++digits;
  const std::string_view rest = text_.substr(digits);
  static constexpr std::string_view kOps[] = {"&>>", "<<<", "<<-", "&>", "<<", ">>", ">&", "<&", "<>", ">|", "<", ">"};
  for (const std::string_view op : kOps) {
    if (!rest.starts_with(op) || (op.front() == '&' && digits != at_)) continue;
    if (op.size() == 1 && rest.substr(1).starts_with('(')) return false;  // process substitution
    if (digits > at_) std::from_chars(text_.data() + at_, text_.data() + digits, out.fd);
    out.op = op;
    at_ = digits + op.size();
    skip_blanks();
    return true;
  }
  return false;
}

bool WordReader::read_assignment() {
  const std::string_view word = bare_word();
  std::size_t end = 0;
  while (end < word.size() && is_name(word[end])) ++end;
  const bool append = word.substr(end).starts_with("+=");
  if (end == 0 || (!append && !word.substr(end).starts_with('=')) || is_digit(word[0])) return false;
  const std::string name(word.substr(0, end));
  at_ += end + (append ? 2 : 1);
  Word value = at_word() ? read_word() : Word{};
  if (append) {
    value.text.insert(0, variables_[name].text);
    const auto& before = variables_[name].made_by;
    value.made_by.insert(value.made_by.begin(), before.begin(), before.end());
  }
  variables_[name] = std::move(value);
  skip_blanks();
  return true;
}

std::vector<Word> WordReader::read_words() {
  Word whole = read_word();
  const std::string parts = std::exchange(whole.text, {});
  std::vector<Word> out;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t split = parts.find(kSplit, begin);
    for (std::string& text : brace_words(parts.substr(begin, split - begin))) {
      Word word = whole;
      word.text = std::move(text);
      if (!word.text.empty() || split == std::string::npos) out.push_back(std::move(word));
      if (out.size() * (1 + whole.made_by.size()) > kWordCopies) return out;
    }
    if (split == std::string::npos) return out;
    begin = split + 1;
  }
}

Word WordReader::read_word() {
  Word word;
  while (!at_end()) {
    const char c = peek();
    if ((c == '<' || c == '>') && peek(1) == '(') {
      at_ += 2;
      read_nested(word, c);
    } else if (is_operator(c) || is_blank(c)) {
      break;
    } else if (c == '\'') {
      read_single(word);
    } else if (c == '"') {
      read_double(word);
    } else if (c == '`') {
      read_backticks(word);
    } else if (c == '$') {
      read_dollar(word, false);
    } else if (c == '\\') {
      if (peek(1) != '\n' && peek(1) != '\0') word.text.push_back(peek(1));
      skip(2);
    } else {
      word.pattern = word.pattern || c == '*' || c == '?' || c == '[';
      word.text.push_back(c == '{' ? kBraceOpen : c == ',' ? kBraceComma : c == '}' ? kBraceClose : c);
      ++at_;
    }
  }
  const bool whole =
      word.text.find(kBraceOpen) == std::string::npos || word.text.find(kBraceComma) == std::string::npos;
  if (whole) word.text = brace_words(std::move(word.text)).front();
  return word;
}

}  // namespace aa::shell
