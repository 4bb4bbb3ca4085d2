// config/import_formats.h: what import.cpp and the translators of single formats share. Private to them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/import.h"
#include "config/value.h"

namespace aa {

// What a format's parser had to say, in the words of an alert; nothing when it could read everything.
std::optional<std::string> first_problem(const Read& read);

// One entry of a file, on its way to rules.
class Entry {
 public:
  Entry(Promises& out, std::uint32_t line, std::string_view text) : out_(out), line_(line), text_(text) {}

  void skip(std::string why) const { out_.skipped.push_back({line_, std::string(text_), std::move(why)}); }

  // A pattern by gitignore's rules, counted from `folder` ("" is the root): without a slash before its end it holds at
  // every depth.
  void add_gitignore(const std::string& folder, std::string_view pattern, OpSet ops) const;

  // A path or glob below `folder`, and everything below what it means; "" is the folder itself.
  void add_below(const std::string& folder, std::string_view pattern, OpSet ops) const;

 private:
  void add(std::string pattern, OpSet ops) const;

  Promises& out_;
  std::uint32_t line_;
  std::string_view text_;
};

// A table's value of that name; null: it has none, or is no table.
const Value* member(const Value& value, std::string_view name);

Promises translate_claude(std::string_view text, const std::string& path, const ImportBase& base);
Promises translate_codex(std::string_view text, const std::string& path, const ImportBase& base);
Promises translate_ignore(std::string_view text, const std::string& path, const ImportBase& base);

}  // namespace aa
