// base/text.h: bytes a program chose, made safe to show.
//
// Comes in: arbitrary bytes (argv, paths). Goes out: valid UTF-8, or escaped text for a terminal. Knows nothing of us.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace aa {

// The sequence at bytes[at]: its length and whether it is well-formed. When it is not, `length` is that of the maximal
// ill-formed part (at least 1), as Unicode's "substitution of maximal subparts" counts it. Wants at < bytes.size().
// O(1).
struct Utf8Sequence {
  std::size_t length = 1;
  bool valid = false;
};
Utf8Sequence utf8_sequence(std::string_view bytes, std::size_t at);

// True when `bytes` is well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). O(n).
bool is_utf8(std::string_view bytes);

// `bytes` with every maximal ill-formed part replaced by U+FFFD (as Unicode's "substitution of maximal subparts").
std::string to_utf8(std::string_view bytes);

// As to_utf8, and NUL (which D-Bus strings cannot carry) becomes U+FFFD too.
std::string to_bus_string(std::string_view bytes);

// For terminals: control characters (C0, DEL, C1), bidirectional controls (U+202A..202E, U+2066..2069, U+200E, U+200F,
// U+061C), line and paragraph separators and invalid bytes become \xNN per byte; a backslash stays as it is.
std::string for_terminal(std::string_view bytes);

// ASCII alone, whatever the locale: names of protocols and programs.
constexpr bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}
constexpr char lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
}
std::string lowered(std::string_view text);

// The parts between separators: one more than there are separators. Wants a separator that is not empty.
std::vector<std::string> split(std::string_view text, std::string_view separator);

// Of a path's text alone: "/a" of "/a/b", "/" of "/a", "." of "a".
std::string folder_of(const std::string& path);

// The same way: "b" of "/a/b", "a" of "a", "" of "/a/".
std::string_view last_component(std::string_view path);

// RFC 4648 base64 with padding.
std::string base64(std::string_view bytes);

}  // namespace aa
