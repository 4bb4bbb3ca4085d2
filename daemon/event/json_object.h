// event/json_object.h: one JSON object being written, shared by the files that write events. Private to this room.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "event/event.h"

namespace aa {

// Appends a quoted string. False when U+FFFD stands for something that was no UTF-8.
bool append_json_string(std::string& out, std::string_view bytes);

void append_json_number(std::string& out, std::integral auto value) {
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end);
}

// One JSON object being written: opened by the constructor, closed by close(). Keys are ours and need no escaping.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_.push_back('{'); }

  std::string& key(std::string_view name, std::string_view suffix = {}) {
    if (!first_) out_.push_back(',');
    first_ = false;
    out_.append("\"").append(name).append(suffix).append("\":");
    return out_;
  }
  void number(std::string_view name, std::integral auto value) { append_json_number(key(name), value); }
  void boolean(std::string_view name, bool value) { key(name).append(value ? "true" : "false"); }
  void only_true(std::string_view name, bool value) {
    if (value) boolean(name, value);
  }
  // Our own words.
  void words(std::string_view name, std::string_view value) { append_json_string(key(name), value); }
  void id(std::string_view name, const ProcessId& value) {
    key(name).push_back('"');
    append_json_number(out_, value.pid);
    out_.push_back('-');
    append_json_number(out_, value.start_ns);
    out_.push_back('"');
  }
  // Bytes a program chose: what is not UTF-8 has its exact sibling.
  void bytes(std::string_view name, std::string_view value);
  void list(std::string_view name, const std::vector<std::string>& values);
  void close() { out_.push_back('}'); }

 private:
  std::string& out_;
  bool first_ = true;
};

void append_body(JsonObject& event, std::string& out, const FileBody& body);
void append_body(JsonObject& event, std::string& out, const TlsBody& body);

}  // namespace aa
