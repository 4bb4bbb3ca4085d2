#include "state/glob.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace aa {
namespace {

constexpr std::size_t kNoMatch = std::string_view::npos;

// The character at text[at] as a number; bytes that are no UTF-8 count as one character each.
char32_t character_at(std::string_view text, std::size_t at, std::size_t& length) {
  const Utf8Sequence sequence = utf8_sequence(text, at);
  length = sequence.valid ? sequence.length : 1;
  const auto first = static_cast<unsigned char>(text[at]);
  if (length == 1) return first;
  char32_t value = first & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) value = value << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
  return value;
}

// Where the alternative opened at `open` ends; npos: never.
std::size_t closing_brace(std::string_view pattern, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      ++at;
    } else if (pattern[at] == '{') {
      ++depth;
    } else if (pattern[at] == '}' && --depth == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

std::size_t opening_brace(std::string_view pattern) {
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      ++at;
    } else if (pattern[at] == '{') {
      return at;
    }
  }
  return std::string_view::npos;
}

std::vector<std::string_view> split_alternatives(std::string_view inner) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t at = 0; at < inner.size(); ++at) {
    if (inner[at] == '\\') {
      ++at;
    } else if (inner[at] == '{') {
      ++depth;
    } else if (inner[at] == '}') {
      --depth;
    } else if (inner[at] == ',' && depth == 0) {
      parts.push_back(inner.substr(begin, at - begin));
      begin = at + 1;
    }
  }
  parts.push_back(inner.substr(begin));
  return parts;
}

}  // namespace

std::variant<std::vector<std::string>, std::string> expand_alternatives(std::string_view pattern, std::size_t limit) {
  std::vector<std::string> done;
  std::vector<std::string> open = {std::string(pattern)};
  while (!open.empty()) {
    const std::string next = std::move(open.back());
    open.pop_back();
    const std::size_t begin = opening_brace(next);
    if (begin == std::string_view::npos) {
      done.push_back(next);
    } else {
      const std::size_t end = closing_brace(next, begin);
      if (end == std::string_view::npos) return std::string("the alternative opened by { is never closed");
      if (end == begin + 1) return std::string("{} holds no alternatives");
      const auto parts = split_alternatives(std::string_view(next).substr(begin + 1, end - begin - 1));
      for (auto part = parts.rbegin(); part != parts.rend(); ++part)
        open.push_back(next.substr(0, begin) + std::string(*part) + next.substr(end + 1));
    }
    if (done.size() + open.size() > limit)
      return "its alternatives stand for more than " + std::to_string(limit) + " patterns";
  }
  return done;
}

std::variant<Glob, std::string> Glob::parse(std::string_view pattern) {
  Glob glob;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char character = pattern[at];
    if (character == '*') {
      std::size_t end = at;
      while (end < pattern.size() && pattern[end] == '*') ++end;
      const bool whole = (at == 0 || pattern[at - 1] == '/') && end < pattern.size() && pattern[end] == '/';
      const bool crosses = end - at > 1;
      glob.tokens_.push_back({!crosses ? Kind::star : whole ? Kind::deep_components : Kind::deep, 0, 0});
      at = crosses && whole ? end : end - 1;  // "**/" takes its slash along
    } else if (character == '?') {
      glob.tokens_.push_back({Kind::any, 0, 0});
    } else if (character == '[') {
      if (std::string wrong = glob.parse_set(pattern, at); !wrong.empty()) return wrong;
    } else if (character == '\\') {
      if (++at == pattern.size()) return std::string("it ends in a backslash");
      glob.tokens_.push_back({Kind::character, pattern[at], 0});
    } else {
      glob.tokens_.push_back({Kind::character, character, 0});
    }
  }
  glob.note_literals();
  return glob;
}

// `at` is the opening bracket; afterwards the closing one. As in shells, a ] that comes first is a member.
std::string Glob::parse_set(std::string_view pattern, std::size_t& at) {
  Set set;
  std::size_t in = at + 1;
  if (in < pattern.size() && (pattern[in] == '!' || pattern[in] == '^')) {
    set.negated = true;
    ++in;
  }
  const std::size_t begin = in;
  while (in < pattern.size() && (pattern[in] != ']' || in == begin)) {
    std::size_t length = 0;
    if (pattern[in] == '\\' && in + 1 < pattern.size()) ++in;
    const char32_t first = character_at(pattern, in, length);
    in += length;
    char32_t last = first;
    if (in + 1 < pattern.size() && pattern[in] == '-' && pattern[in + 1] != ']') {
      ++in;
      if (pattern[in] == '\\' && in + 1 < pattern.size()) ++in;
      last = character_at(pattern, in, length);
      in += length;
      if (last < first) return "a range in the set [ runs backwards";
    }
    set.ranges.push_back({first, last});
  }
  if (in >= pattern.size()) return "the set opened by [ is never closed";
  const std::string_view text = pattern.substr(begin, in - begin);
  at = in;
  return add_set(std::move(set), text);
}

// One of a single character is that character: what it spells is the one path, and can be as impossible.
std::string Glob::add_set(Set set, std::string_view text) {
  const bool only_slash = std::all_of(set.ranges.begin(), set.ranges.end(),
                                      [](const Range& range) { return range.first == '/' && range.last == '/'; });
  if (only_slash && !set.negated) return "the set [/] can never match: no name holds a slash";
  const bool single = set.ranges.size() == 1 && set.ranges[0].first == set.ranges[0].last && !set.negated;
  if (single && text.find('-') == std::string_view::npos) {
    if (text.size() > 1 && text.front() == '\\') text.remove_prefix(1);
    for (const char byte : text) tokens_.push_back({Kind::character, byte, 0});
    return {};
  }
  tokens_.push_back({Kind::set, 0, static_cast<std::uint32_t>(sets_.size())});
  sets_.push_back(std::move(set));
  return {};
}

std::vector<Glob::Component> Glob::components() const {
  std::vector<Component> out(1);
  for (const Token& token : tokens_) {
    const bool slash = token.kind == Kind::character && token.character == '/';
    const bool one = token.kind == Kind::character || token.kind == Kind::any || token.kind == Kind::set;
    if (token.kind != Kind::character) out.back().text.reset();
    if (slash || token.kind == Kind::deep_components) {
      out.emplace_back();
    } else if (one) {
      ++out.back().least;
      if (out.back().text) *out.back().text += token.character;
    }
  }
  return out;
}

std::string Glob::spelling() const {
  std::string out;
  for (std::size_t at = 0; at < tokens_.size(); ++at) {
    const Token& token = tokens_[at];
    const Kind next = at + 1 < tokens_.size() ? tokens_[at + 1].kind : Kind::any;
    if (token.kind == Kind::deep_components && (next == Kind::deep_components || next == Kind::deep)) continue;
    if (token.kind == Kind::any) out += '?';
    if (token.kind == Kind::star) out += '*';
    if (token.kind == Kind::deep) out += "**";
    if (token.kind == Kind::deep_components) out += "**/";
    if (token.kind == Kind::set) out += spelling(sets_[token.set]);
    if (token.kind != Kind::character) continue;
    if (std::string_view("*?[\\").find(token.character) != std::string_view::npos) out += '\\';
    out += token.character;
  }
  return out;
}

std::string Glob::spelling(const Set& set) {
  std::vector<Range> ranges = set.ranges;
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  std::string out = set.negated ? "[!" : "[";
  for (std::size_t at = 0; at < ranges.size();) {
    const char32_t first = ranges[at].first;
    char32_t last = ranges[at].last;
    for (++at; at < ranges.size() && ranges[at].first <= last + 1; ++at) last = std::max(last, ranges[at].last);
    out += std::to_string(static_cast<std::uint32_t>(first)) + "-" + std::to_string(static_cast<std::uint32_t>(last)) +
           ",";
  }
  return out + "]";
}

void Glob::note_literals() {
  for (const Token& token : tokens_) {
    if (token.kind != Kind::character) break;
    literal_.push_back(token.character);
  }
  for (auto token = tokens_.rbegin(); token != tokens_.rend(); ++token) {
    if (token->kind == Kind::deep_components || (token->kind == Kind::character && token->character == '/')) {
      last_component_.assign(last_component_.rbegin(), last_component_.rend());
      return;
    }
    if (token->kind != Kind::character) break;
    last_component_.push_back(token->character);
  }
  last_component_.clear();
}

bool Glob::is_literal() const {
  return literal_.size() == tokens_.size();
}

// How many bytes of path a one-character token takes at `at`; kNoMatch: it does not match.
std::size_t Glob::step(const Token& token, std::string_view path, std::size_t at) const {
  if (token.kind == Kind::character) return path[at] == token.character ? 1 : kNoMatch;
  if (path[at] == '/') return kNoMatch;
  std::size_t length = 0;
  const char32_t character = character_at(path, at, length);
  if (token.kind == Kind::any) return length;
  const Set& set = sets_[token.set];
  bool inside = false;
  for (const Range& range : set.ranges) inside = inside || (character >= range.first && character <= range.last);
  return inside != set.negated ? length : kNoMatch;
}

bool Glob::matches(std::string_view path) const {
  std::size_t unlimited = std::numeric_limits<std::size_t>::max();
  return matches(path, unlimited);
}

// Two places to come back to: the last `*`, which may take more of its component, and the last `**`, which may take
// more of anything. Only the last of each need be remembered: what an earlier one could take, the later one can.
bool Glob::matches(std::string_view path, std::size_t& effort) const {
  std::size_t at = 0, token = 0;
  std::size_t star_token = kNoMatch, star_at = 0;
  std::size_t deep_token = kNoMatch, deep_at = 0;
  for (; effort > 0; --effort) {
    if (token == tokens_.size() && at == path.size()) return true;
    if (token < tokens_.size()) {
      const Token& here = tokens_[token];
      if (here.kind == Kind::star) {
        star_token = ++token;
        star_at = at;
        continue;
      }
      if (here.kind == Kind::deep || here.kind == Kind::deep_components) {
        deep_token = ++token;
        deep_at = at;
        star_token = kNoMatch;
        continue;
      }
      const std::size_t length = at < path.size() ? step(here, path, at) : kNoMatch;
      if (length != kNoMatch) {
        at += length;
        ++token;
        continue;
      }
    }
    if (star_token != kNoMatch && star_at < path.size() && path[star_at] != '/') {
      at = ++star_at;
      token = star_token;
      continue;
    }
    star_token = kNoMatch;
    if (deep_token == kNoMatch || deep_at >= path.size()) return false;
    if (tokens_[deep_token - 1].kind == Kind::deep_components) {
      const std::size_t slash = path.find('/', deep_at);
      if (slash == std::string_view::npos) return false;
      deep_at = slash + 1;
    } else {
      ++deep_at;
    }
    at = deep_at;
    token = deep_token;
  }
  return false;
}

}  // namespace aa
