// config/read_toml.cpp: toml++ is spoken here and nowhere else; its exceptions end here.
#include <toml++/toml.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "config/value.h"

namespace aa {
namespace {

class Converter {
 public:
  explicit Converter(const std::string& file) : file_(file) {}

  Value value_of(const toml::node& node, std::size_t depth) {
    Value value{Misfit{kind_of(node)}, node.source().begin.line, node.source().begin.column};
    if (depth > kDeepest) {
      problems.push_back({file_, value.line, value.column, "", "is nested too deeply"});
    } else if (const auto* integer = node.as_integer()) {
      value.held = integer->get();
    } else if (const auto* text = node.as_string()) {
      value.held = text->get();
    } else if (const auto* list = node.as_array()) {
      Value::List items;
      for (const toml::node& item : *list) items.push_back(value_of(item, depth + 1));
      value.held = std::move(items);
    } else if (const auto* table = node.as_table()) {
      value.held = members_of(*table, depth);
    }
    return value;
  }

  std::vector<Problem> problems;

 private:
  static std::string kind_of(const toml::node& node) {
    if (node.is_floating_point()) return "a number with a fraction";
    return node.is_boolean() ? "true or false" : "a date or time";
  }

  // The library sorts by name; people read from top to bottom.
  Value::Table members_of(const toml::table& table, std::size_t depth) {
    Value::Table members;
    for (const auto& [name, node] : table) members.push_back({std::string(name.str()), value_of(node, depth + 1)});
    std::stable_sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
      return std::pair(a.value.line, a.value.column) < std::pair(b.value.line, b.value.column);
    });
    return members;
  }

  const std::string& file_;
};

// The library limits how deep values are nested, not how many parts a key has: it makes a table in a table of each, and
// goes down into them by calling itself. Where the first key is that has too many; from 1, 0: nowhere.
class LongKey {
 public:
  explicit LongKey(std::string_view text) : text_(text) {}

  std::uint32_t line() {
    while (at_ < text_.size())
      if (take() > kDeepest) return line_;
    return 0;
  }

 private:
  // Goes past a string, a comment or a character; returns how many parts the key has that this belongs to, if it does.
  std::size_t take() {
    const char c = text_[at_];
    if (c == '"' || c == '\'') {
      skip_string(c);
    } else if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else {
      if (c == '\n') ++line_;
      if (c == '.')
        ++dots_;
      else if (std::string_view("=\n,[]{}").find(c) != std::string_view::npos)
        dots_ = 0;
      ++at_;
    }
    return dots_;
  }

  void skip_string(char quote) {
    const std::string three(3, quote);
    const bool longer = text_.substr(at_, 3) == three;
    at_ += longer ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\n') {
        if (!longer) return;
        ++line_;
      }
      if (text_[at_] == '\\' && quote == '"') {
        ++at_;
      } else if (longer ? text_.substr(at_, 3) == three : text_[at_] == quote) {
        at_ += longer ? 3 : 1;
        return;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t dots_ = 0;
  std::uint32_t line_ = 1;
};

// Takes out the line of a key that was given before; false when that is not what it holds: the rest is not to be judged
// without it.
bool without_key(std::string& text, std::uint32_t line) {
  std::size_t begin = 0;
  for (; line > 1; --line) begin = text.find('\n', begin) + 1;
  const std::size_t end = std::min(text.find('\n', begin), text.size());
  const std::size_t word = text.find_first_not_of(" \t", begin);
  if (word >= end || text[word] == '[') return false;
  std::fill(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end), ' ');
  return true;
}

// The library stops at the first mistake. A key given twice is one that can be told and passed by: false asks to be
// called again with what is left. Another mistake behind it may come of what was taken out, and is not told.
bool read_once(std::string& text, const std::string& file, Read& read) {
  constexpr std::size_t kMostTwice = 20;
  try {
    Converter converter(file);
    read.root = converter.value_of(toml::parse(text), 0);
    if (converter.problems.empty()) return true;
    std::move(converter.problems.begin(), converter.problems.end(), std::back_inserter(read.problems));
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    const bool twice = error.description().find("redefine") != std::string_view::npos;
    if (twice || read.problems.empty())
      read.problems.push_back({file, at.line, at.column, "", "is not TOML: " + std::string(error.description())});
    if (twice && read.problems.size() < kMostTwice && without_key(text, at.line)) return false;
  }
  read.root.held = Value::Table{};
  return true;
}

}  // namespace

Read read_toml(std::string_view text, const std::string& file) {
  Read read;
  read.root.held = Value::Table{};
  if (const std::uint32_t line = LongKey(text).line(); line != 0) {
    read.problems.push_back({file, line, 1, "", "has a key of more than " + std::to_string(kDeepest) + " parts"});
    return read;
  }
  std::string readable(text);
  while (!read_once(readable, file, read)) {
  }
  return read;
}

}  // namespace aa
