// event/archive.h: values ↔ bytes, for captures.
//
// Comes in: values whose types have `template <class A> void fields(A&, T&)`, or bytes that nobody vouches for. Goes
// out: the other. Numbers are LEB128 (signed ones zig-zag), lists and texts carry their length: the same on every
// machine. Reading checks every length and choice before it is used. Knows no file.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace aa {

class ArchiveWriter {
 public:
  explicit ArchiveWriter(std::string& out) : out_(out) {}

  template <class... T>
  void operator()(T&... values) {
    (put(values), ...);
  }

  // An enum with so many values, counted from 0.
  template <class Enum>
  void choice(Enum& value, std::size_t) {
    put_number(static_cast<std::uint64_t>(value));
  }
  template <class Enum>
  void choice(std::optional<Enum>& value, std::size_t) {
    put_number(value ? 1 + static_cast<std::uint64_t>(*value) : 0);
  }

 private:
  void put_number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
  }
  template <std::unsigned_integral T>
  void put(T& value) {
    put_number(value);
  }
  template <std::signed_integral T>
  void put(T& value) {
    const auto wide = static_cast<std::int64_t>(value);
    put_number(static_cast<std::uint64_t>(wide) << 1 ^ static_cast<std::uint64_t>(wide >> 63));
  }
  void put(std::string& text) {
    put_number(text.size());
    out_.append(text);
  }
  template <class T>
  void put(std::vector<T>& list) {
    put_number(list.size());
    for (T& value : list) put(value);
  }
  template <class T>
  void put(std::optional<T>& value) {
    put_number(value.has_value() ? 1 : 0);
    if (value) put(*value);
  }
  template <class... T>
  void put(std::variant<T...>& value) {
    put_number(value.index());
    std::visit([this](auto& held) { this->put(held); }, value);
  }
  template <class T>
  requires std::is_class_v<T>
  void put(T& value) { fields(*this, value); }

  std::string& out_;
};

class ArchiveReader {
 public:
  explicit ArchiveReader(std::string_view in) : in_(in) {}

  // Everything was read, and nothing was wrong.
  bool complete() const { return good_ && in_.empty(); }

  template <class... T>
  void operator()(T&... values) {
    (get(values), ...);
  }
  template <class Enum>
  void choice(Enum& value, std::size_t count) {
    const std::uint64_t number = get_number();
    good_ = good_ && number < count;
    if (good_) value = static_cast<Enum>(number);
  }
  template <class Enum>
  void choice(std::optional<Enum>& value, std::size_t count) {
    const std::uint64_t number = get_number();
    good_ = good_ && number <= count;
    value = good_ && number > 0 ? std::optional(static_cast<Enum>(number - 1)) : std::nullopt;
  }

 private:
  std::uint64_t get_number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64 && !in_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    good_ = false;
    return 0;
  }
  std::size_t get_length() {  // every element takes a byte at least
    const std::uint64_t length = get_number();
    good_ = good_ && length <= in_.size();
    return good_ ? static_cast<std::size_t>(length) : 0;
  }
  template <std::unsigned_integral T>
  void get(T& value) {
    const std::uint64_t number = get_number();
    value = static_cast<T>(number);
    good_ = good_ && static_cast<std::uint64_t>(value) == number;
  }
  template <std::signed_integral T>
  void get(T& value) {
    const std::uint64_t number = get_number();
    const auto wide = static_cast<std::int64_t>(number >> 1 ^ (0 - (number & 1)));
    value = static_cast<T>(wide);
    good_ = good_ && static_cast<std::int64_t>(value) == wide;
  }
  void get(std::string& text) {
    const std::size_t length = get_length();
    text.assign(in_.substr(0, length));
    in_.remove_prefix(length);
  }
  template <class T>
  void get(std::vector<T>& list) {
    const std::size_t length = get_length();
    list.clear();
    for (std::size_t i = 0; i < length && good_; ++i) get(list.emplace_back());
  }
  template <class T>
  void get(std::optional<T>& value) {
    value.reset();
    const std::uint64_t present = get_number();
    good_ = good_ && present <= 1;
    if (good_ && present == 1) get(value.emplace());
  }
  template <class... T>
  void get(std::variant<T...>& value) {
    get_alternative(value, get_number(), std::index_sequence_for<T...>());
  }
  template <class Variant, std::size_t... I>
  void get_alternative(Variant& value, std::uint64_t index, std::index_sequence<I...>) {
    const bool known = good_ && ((index == I && (get(value.template emplace<I>()), true)) || ...);
    good_ = good_ && known;
  }
  template <class T>
  requires std::is_class_v<T>
  void get(T& value) { fields(*this, value); }

  std::string_view in_;
  bool good_ = true;
};

}  // namespace aa
