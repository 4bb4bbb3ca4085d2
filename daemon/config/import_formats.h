// config/import_formats.h: what import.cpp and the translators of single formats share. Private to them.
#pragma once

#include <string>
#include <string_view>

#include "config/import.h"
#include "config/value.h"

namespace aa {

// The operations that change a file or its folder.
inline constexpr OpSet kChanges = op_bit(FileOp::write) | op_bit(FileOp::create) | op_bit(FileOp::unlink) |
                                  op_bit(FileOp::rmdir) | op_bit(FileOp::mkdir) | op_bit(FileOp::mknod) |
                                  op_bit(FileOp::rename) | op_bit(FileOp::link) | op_bit(FileOp::symlink) |
                                  op_bit(FileOp::truncate) | op_bit(FileOp::chmod) | op_bit(FileOp::chown);

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
