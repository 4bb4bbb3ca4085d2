// event/json_object.cpp: strings of any bytes as JSON.
#include "event/json_object.h"

#include "base/text.h"

namespace aa {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// What a byte needs inside a JSON string: 0 nothing, 1 look closer (a multi-byte sequence), else an escape.
constexpr char kUnicodeEscape = 'u';
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  for (std::size_t byte = 0; byte < 0x20; ++byte) table[byte] = kUnicodeEscape;
  for (std::size_t byte = 0x80; byte < 0x100; ++byte) table[byte] = 1;
  table['\b'] = 'b';
  table['\t'] = 't';
  table['\n'] = 'n';
  table['\f'] = 'f';
  table['\r'] = 'r';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

void append_escape(std::string& out, char character, char escape) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out.push_back('\\');
  out.push_back(escape);
  if (escape != kUnicodeEscape) return;
  out.append("00");
  out.push_back(kDigits[static_cast<unsigned char>(character) >> 4]);
  out.push_back(kDigits[character & 0xF]);
}

}  // namespace

// Clean runs are copied whole.
bool append_json_string(std::string& out, std::string_view bytes) {
  bool exact = true;
  std::size_t run = 0;
  out.push_back('"');
  for (std::size_t at = 0; at < bytes.size();) {
    const char escape = kEscapes[static_cast<unsigned char>(bytes[at])];
    if (escape == 0) {
      ++at;
      continue;
    }
    const Utf8Sequence sequence = utf8_sequence(bytes, at);
    if (escape == 1 && sequence.valid) {
      at += sequence.length;
      continue;
    }
    out.append(bytes, run, at - run);
    if (escape == 1) {
      out.append(kReplacement);
      exact = false;
    } else {
      append_escape(out, bytes[at], escape);
    }
    at += sequence.length;
    run = at;
  }
  out.append(bytes, run, bytes.size() - run);
  out.push_back('"');
  return exact;
}

void JsonObject::bytes(std::string_view name, std::string_view value) {
  if (append_json_string(key(name), value)) return;
  key(name, "_base64").append("\"").append(base64(value)).append("\"");
}

// The sibling has the same length, null where the text is exact.
void JsonObject::list(std::string_view name, const std::vector<std::string>& values) {
  bool exact = true;
  key(name).push_back('[');
  for (const std::string& value : values) {
    if (&value != &values.front()) out_.push_back(',');
    if (!append_json_string(out_, value)) exact = false;
  }
  out_.push_back(']');
  if (exact) return;
  key(name, "_base64").push_back('[');
  for (const std::string& value : values) {
    if (&value != &values.front()) out_.push_back(',');
    if (is_utf8(value)) {
      out_.append("null");
    } else {
      out_.append("\"").append(base64(value)).append("\"");
    }
  }
  out_.push_back(']');
}

}  // namespace aa
