// tests/support/rounds.h: how often tests repeat themselves that do so thousands of times; fewer on an emulated
// processor.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace aa::test {

// Of so many rounds or places one is taken: AA_SPARSE, 1 without it.
inline std::uint64_t sparse() {
  static const std::uint64_t value = [] {
    const char* text = std::getenv("AA_SPARSE");
    const std::string_view digits = text ? text : "1";
    std::uint64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number == 0 ? 1 : number;
  }();
  return value;
}

// What takes minutes is left out.
inline bool quick() {
  const char* text = std::getenv("AA_QUICK");
  return text != nullptr && *text != '\0';
}

inline std::uint64_t rounds(std::uint64_t whole) {
  return whole / sparse();
}

}  // namespace aa::test
