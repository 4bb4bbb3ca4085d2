// base/text.cpp: UTF-8 as Unicode 15 table 3-7 defines it, nothing more.
#include "base/text.h"

#include <algorithm>
#include <cstdint>

namespace aa {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// What may follow a lead byte: how many continuation bytes, and the range of the first of them. The narrowed ranges
// are what keeps out overlong forms (E0, F0), surrogates (ED) and anything above U+10FFFF (F4).
struct Lead {
  unsigned following;
  unsigned char low;
  unsigned char high;
};

Lead lead_of(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

// `bytes` with U+FFFD for every ill-formed part and, when asked, for every NUL. Clean runs are copied whole.
std::string replaced(std::string_view bytes, bool nul_too) {
  std::string out;
  out.reserve(bytes.size());
  std::size_t run = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const Utf8Sequence sequence = utf8_sequence(bytes, at);
    if (sequence.valid && !(nul_too && bytes[at] == '\0')) {
      at += sequence.length;
      continue;
    }
    out.append(bytes, run, at - run).append(kReplacement);
    at += sequence.length;
    run = at;
  }
  return out.append(bytes, run, bytes.size() - run);
}

char32_t code_point(std::string_view sequence) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(sequence[at]); };
  if (sequence.size() == 1) return byte(0);
  char32_t point = byte(0) & (0x7Fu >> sequence.size());
  for (std::size_t at = 1; at < sequence.size(); ++at) point = point << 6 | (byte(at) & 0x3Fu);
  return point;
}

// Could move the cursor, colour the screen, reorder or break the line.
bool unsafe_on_terminal(char32_t point) {
  return point < 0x20 || (point >= 0x7F && point <= 0x9F) || point == 0x061C || point == 0x200E || point == 0x200F ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

void append_hex(std::string& out, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char character : bytes) {
    const auto byte = static_cast<unsigned char>(character);
    out.append("\\x").push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 0xF]);
  }
}

}  // namespace

Utf8Sequence utf8_sequence(std::string_view bytes, std::size_t at) {
  const auto first = static_cast<unsigned char>(bytes[at]);
  if (first < 0x80) return {1, true};
  const Lead lead = lead_of(first);
  unsigned char low = lead.low;
  unsigned char high = lead.high;
  for (std::size_t seen = 1; seen <= lead.following; ++seen) {
    if (at + seen >= bytes.size()) return {seen, false};
    const auto byte = static_cast<unsigned char>(bytes[at + seen]);
    if (byte < low || byte > high) return {seen, false};
    low = 0x80;
    high = 0xBF;
  }
  return {lead.following + 1, lead.following > 0};
}

bool is_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const Utf8Sequence sequence = utf8_sequence(bytes, at);
    if (!sequence.valid) return false;
    at += sequence.length;
  }
  return true;
}

std::string to_utf8(std::string_view bytes) {
  return replaced(bytes, false);
}

std::string to_bus_string(std::string_view bytes) {
  return replaced(bytes, true);
}

std::string for_terminal(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const Utf8Sequence sequence = utf8_sequence(bytes, at);
    const std::string_view part = bytes.substr(at, sequence.length);
    if (sequence.valid && !unsafe_on_terminal(code_point(part))) {
      out.append(part);
    } else {
      append_hex(out, part);
    }
    at += sequence.length;
  }
  return out;
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + separator.size());
  }
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view last_component(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t have = bytes.size() - at < 3 ? bytes.size() - at : 3;
    std::uint32_t group = 0;
    for (std::size_t next = 0; next < 3; ++next) {
      group = group << 8 | (next < have ? static_cast<unsigned char>(bytes[at + next]) : 0u);
    }
    out.push_back(kAlphabet[group >> 18 & 63]);
    out.push_back(kAlphabet[group >> 12 & 63]);
    out.push_back(have > 1 ? kAlphabet[group >> 6 & 63] : '=');
    out.push_back(have > 2 ? kAlphabet[group & 63] : '=');
  }
  return out;
}

}  // namespace aa
