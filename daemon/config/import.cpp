#include "config/import.h"

#include <algorithm>
#include <array>
#include <utility>

#include "config/import_formats.h"

namespace aa {
namespace {

constexpr std::array<std::string_view, 3> kIgnoreNames = {".gitignore", ".aiderignore", ".cursorignore"};

constexpr std::string_view kWanted =
    "is no import: write claude:FILE, codex:FILE, .gitignore, .aiderignore or .cursorignore, the last three with :FILE "
    "where it is another";

std::optional<ImportFormat> format_of(std::string_view name) {
  if (name == "claude") return ImportFormat::claude;
  if (name == "codex") return ImportFormat::codex;
  for (const std::string_view ignore : kIgnoreNames)
    if (name == ignore) return ImportFormat::ignore;
  return std::nullopt;
}

// A path as a pattern that means exactly it.
std::string literal(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (std::string_view("*?[]{}\\").find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

// "" when it can be said in our words: then `out` has it.
std::string convert(std::string_view pattern, std::string& out) {
  std::size_t begin = 0;  // of the component
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\') {
      if (++at == pattern.size()) return "it ends in a backslash";
      if (pattern[at] == '/') {
        out.push_back('/');  // a slash is one, whatever stands before it
        begin = at + 1;
      } else {
        out.append(1, '\\').push_back(pattern[at]);
      }
    } else if (c == '{' || c == '}') {
      out.append(1, '\\').push_back(c);  // gitignore knows no alternatives
    } else if (c == '[') {
      if (pattern.substr(at + 1).starts_with("[:")) return "it holds a class of characters such as [:alpha:]";
      out.push_back(c);
      if (at + 1 < pattern.size() && pattern[at + 1] == '^') {
        out.push_back('!');
        ++at;
      }
    } else if (c == '*') {
      std::size_t end = at;
      while (end < pattern.size() && pattern[end] == '*') ++end;
      const bool whole = at == begin && end - at == 2 && (end == pattern.size() || pattern[end] == '/');
      out += whole ? "**" : "*";
      at = end - 1;
    } else {
      out.push_back(c);
      if (c == '/') begin = at + 1;
    }
  }
  return {};
}

bool has_wildcard(std::string_view pattern) {
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '\\')
      ++at;
    else if (pattern[at] == '*' || pattern[at] == '?' || pattern[at] == '[')
      return true;
  }
  return false;
}

}  // namespace

std::variant<ImportSource, std::string> parse_import(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const std::optional<ImportFormat> format = format_of(name);
  if (!format) return std::string(kWanted);
  if (colon == std::string_view::npos) {
    if (*format != ImportFormat::ignore) return "needs a file: " + std::string(name) + ":FILE";
    return ImportSource{*format, std::string(name)};
  }
  const std::string_view path = text.substr(colon + 1);
  constexpr std::size_t kLongest = 4096;
  if (path.empty() || path.size() > kLongest || path.back() == '/' || path.find('\0') != std::string_view::npos)
    return "has no file's path behind the colon";
  return ImportSource{*format, std::string(path)};
}

std::optional<std::string> path_of(const ImportSource& source, const ImportBase& base) {
  if (source.path.front() == '/') return lexically_normal(source.path);
  const bool of_home = source.path.starts_with("~/");
  const std::optional<std::string>& from = of_home ? base.home : base.cwd;
  if (!from) return std::nullopt;
  return lexically_normal(*from + "/" + source.path.substr(of_home ? 2 : 0));
}

std::optional<std::string> first_problem(const Read& read) {
  if (read.problems.empty()) return std::nullopt;
  return "line " + std::to_string(read.problems.front().line) + " " + read.problems.front().sentence;
}

const Value* member(const Value& value, std::string_view name) {
  const auto* table = std::get_if<Value::Table>(&value.held);
  if (table == nullptr) return nullptr;
  const auto found = std::find_if(table->begin(), table->end(), [&](const Member& one) { return one.name == name; });
  return found == table->end() ? nullptr : &found->value;
}

void Entry::add(std::string pattern, OpSet ops) const {
  PathRule rule;
  rule.pattern = std::move(pattern);
  rule.ops = ops;
  if (auto wrong = check_rule(rule)) return skip(std::move(*wrong));
  out_.rules.push_back(std::move(rule));
}

void Entry::add_gitignore(const std::string& folder, std::string_view pattern, OpSet ops) const {
  const bool anchored = pattern.substr(0, pattern.size() - 1).find('/') != std::string_view::npos;
  while (pattern.starts_with("./")) pattern.remove_prefix(2);
  while (pattern.starts_with('/')) pattern.remove_prefix(1);
  if (pattern.empty()) return skip("it names nothing");
  add_below(folder, anchored ? std::string(pattern) : "**/" + std::string(pattern), ops);
}

void Entry::add_below(const std::string& folder, std::string_view pattern, OpSet ops) const {
  std::string converted;
  if (std::string wrong = convert(pattern, converted); !wrong.empty()) return skip(std::move(wrong));
  while (converted.ends_with('/')) converted.pop_back();
  const std::string whole = literal(folder) + (converted.empty() ? "" : "/" + converted);
  if (whole.empty()) return skip("it means every file there is");
  if (whole.ends_with("/**")) return add(whole, ops);
  if (!has_wildcard(converted) && !pattern.ends_with('/') && !pattern.empty()) add(whole, ops);
  add(whole + "/", ops);
}

Promises translate(ImportFormat format, std::string_view text, const std::string& path, const ImportBase& base) {
  switch (format) {
    case ImportFormat::claude:
      return translate_claude(text, path, base);
    case ImportFormat::codex:
      return translate_codex(text, path, base);
    case ImportFormat::ignore:
      return translate_ignore(text, path, base);
  }
  return {};
}

}  // namespace aa
