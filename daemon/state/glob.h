// state/glob.h: one glob of a path rule.
//
// Comes in: a pattern in text. Goes out: does a path match it. `*` stays inside a component, `**` crosses, `**/` stands
// for any number of whole components, none included; `?` is one character, `[a-z]` and `[!a-z]` sets, `\` takes the
// next character as it is. Alternatives `{a,b}` are spelt out before. Pure; knows nothing of files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aa {

class Glob {
 public:
  // A pattern without alternatives. A string says in words what is wrong with it ("the set opened by [ is never
  // closed").
  static std::variant<Glob, std::string> parse(std::string_view pattern);

  // True when the whole of `path` matches. Cost: length of path times that of the pattern at worst, linear as a rule.
  bool matches(std::string_view path) const;
  // The same for at most `effort` steps, of which those that are left are there afterwards; false when they are used
  // up.
  bool matches(std::string_view path, std::size_t& effort) const;

  // Whether the pattern holds no wildcard; then literal() is the one path it matches.
  bool is_literal() const;
  // The text before the first wildcard, escapes undone.
  const std::string& literal() const { return literal_; }
  // What stands between slashes: of "/a/b?*" "" and "a", each as it is, and something of at least 2 bytes.
  struct Component {
    std::optional<std::string> text = "";  // absent where there is a wildcard
    std::size_t least = 0;                 // bytes of the shortest name it matches
  };
  std::vector<Component> components() const;
  // One text for all spellings of the same: of `[b][ca]` and `\b[ac]`.
  std::string spelling() const;
  // The last component when it has no wildcard ("" otherwise): a path that does not end in it cannot match.
  const std::string& last_component() const { return last_component_; }

 private:
  enum class Kind : std::uint8_t { character, any, star, deep, deep_components, set };
  struct Token {
    Kind kind = Kind::character;
    char character = 0;
    std::uint32_t set = 0;  // index into sets_
  };
  struct Range {
    char32_t first;
    char32_t last;
  };
  struct Set {
    bool negated = false;
    std::vector<Range> ranges;
  };

  static std::string spelling(const Set& set);
  std::string parse_set(std::string_view pattern, std::size_t& at);
  std::string add_set(Set set, std::string_view text);
  void note_literals();
  std::size_t step(const Token& token, std::string_view path, std::size_t at) const;

  std::vector<Token> tokens_;
  std::vector<Set> sets_;
  std::string literal_;
  std::string last_component_;
};

// Spells out `{a,b}`: every pattern it stands for, at most `limit`. A string says what is wrong.
std::variant<std::vector<std::string>, std::string> expand_alternatives(std::string_view pattern, std::size_t limit);

}  // namespace aa
