// config/read_json.cpp: the same values spelt in JSON. The parser tells no places: they are read off how far it came.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/value.h"

namespace aa {
namespace {

using Json = nlohmann::json;

// Hands the text to the parser, and knows where it is.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, std::size_t* taken) : at_(at), taken_(taken) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    ++at_;
    if (taken_ != nullptr) ++*taken_;
    return *this;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }
  bool operator!=(const Cursor& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* taken_;
};

class Handler : public Json::json_sax_t {
 public:
  Handler(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  std::size_t taken = 0;  // bytes the parser has read
  Value root;
  std::vector<Problem> problems;

  bool null() override { return put(Misfit{"null"}); }
  bool boolean(bool) override { return put(Misfit{"true or false"}); }
  bool number_integer(number_integer_t number) override { return put(std::int64_t{number}); }
  bool number_unsigned(number_unsigned_t number) override {
    constexpr auto kMost = static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max());
    if (number > kMost) return put(Misfit{"a number too large"});
    return put(static_cast<std::int64_t>(number));
  }
  // Also what is too large for the types above; the longest of these ends in parse_error.
  bool number_float(number_float_t, const string_t& text) override {
    const bool whole = text.find_first_of(".eE") == std::string::npos;
    return put(Misfit{whole ? "a number too large" : "a number with a fraction"});
  }
  bool string(string_t& text) override { return put(std::move(text)); }
  bool binary(binary_t&) override { return false; }  // not in text

  bool start_object(std::size_t) override { return open(Value::Table{}); }
  bool start_array(std::size_t) override { return open(Value::List{}); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto [line, column] = place();
    auto& table = std::get<Value::Table>(open_.back()->held);
    if (std::any_of(table.begin(), table.end(), [&](const Member& member) { return member.name == name; }))
      problems.push_back({file_, line, column, name, "is given twice; keep one"});
    table.push_back({std::move(name), {}});
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    if (dynamic_cast<const Json::out_of_range*>(&error) != nullptr) return blame("is a number no integer can hold");
    const auto [line, column] = place_of(taken == 0 ? 0 : taken - 1);
    problems = {{file_, line, column, "", "is not JSON: something else was expected here"}};
    return false;
  }

 private:
  // Where the token begins that ended just now: behind the one before, and what may stand between two.
  std::pair<std::uint32_t, std::uint32_t> place() {
    const std::size_t begin = text_.find_first_not_of(" \t\r\n,:]}\xEF\xBB\xBF", end_);
    end_ = taken;
    return place_of(std::min(begin, text_.size()));
  }

  std::pair<std::uint32_t, std::uint32_t> place_of(std::size_t at) {
    for (; counted_ < at && counted_ < text_.size(); ++counted_) {
      if (text_[counted_] != '\n') continue;
      ++line_;
      line_begin_ = counted_ + 1;
    }
    return {line_, static_cast<std::uint32_t>(at - std::min(at, line_begin_) + 1)};
  }

  bool blame(const char* sentence) {
    const auto [line, column] = place();
    problems.push_back({file_, line, column, "", sentence});
    return false;
  }

  template <class T>
  bool put(T&& held) {
    const auto [line, column] = place();
    place_for_next() = {std::forward<T>(held), line, column};
    return true;
  }

  template <class T>
  bool open(T held) {
    if (open_.size() > kDeepest) return blame("is nested too deeply");
    Value& value = place_for_next();
    const auto [line, column] = place();
    value = {std::move(held), line, column};
    open_.push_back(&value);
    return true;
  }

  bool close() {
    end_ = taken;
    open_.pop_back();
    return true;
  }

  // Stays where it is while it is open: only what is innermost grows.
  Value& place_for_next() {
    if (open_.empty()) return root;
    if (auto* list = std::get_if<Value::List>(&open_.back()->held)) return list->emplace_back();
    return std::get<Value::Table>(open_.back()->held).back().value;
  }

  std::string_view text_;
  const std::string& file_;
  std::vector<Value*> open_;
  std::size_t end_ = 0;
  std::size_t counted_ = 0;
  std::size_t line_begin_ = 0;
  std::uint32_t line_ = 1;
};

}  // namespace

Read read_json(std::string_view text, const std::string& file) {
  // The parser takes it for the end.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    const auto lines = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
    Read refused;
    refused.root.held = Value::Table{};
    refused.problems.push_back({file, static_cast<std::uint32_t>(lines + 1), 1, "", "holds a byte that is 0"});
    return refused;
  }
  Handler handler(text, file);
  const bool whole =
      Json::sax_parse(Cursor(text.data(), &handler.taken), Cursor(text.data() + text.size(), nullptr), &handler);
  Read read{std::move(handler.root), std::move(handler.problems)};
  if (whole && std::holds_alternative<Value::Table>(read.root.held)) return read;
  if (whole) read.problems.push_back({file, 1, 1, "", "wants an object with one object a section"});
  read.root.held = Value::Table{};
  return read;
}

}  // namespace aa
