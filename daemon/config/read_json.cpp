// config/read_json.cpp: the same values spelt in JSON. The parser tells no lines for values, only for its own errors.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "config/given.h"

namespace aa {
namespace {

using Json = nlohmann::json;

std::string kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::number_float:
      return "a number with a fraction";
    case Json::value_t::boolean:
      return "true or false";
    case Json::value_t::null:
      return "null";
    default:
      return "a number too large";
  }
}

Given given_of(std::string section, std::string name, const Json& value) {
  Given given{std::move(section), std::move(name), Misfit{}};
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > kMost)) {
    given.value = value.get<std::int64_t>();
  } else if (value.is_string()) {
    given.value = value.get<std::string>();
  } else {
    given.value = Misfit{kind_of(value)};
  }
  return given;
}

Problem not_json(std::string_view text, const std::string& file, std::size_t byte) {
  const std::string_view before = text.substr(0, byte == 0 ? 0 : byte - 1);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto column = before.size() - (before.rfind('\n') + 1) + 1;
  return {file, static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(column), "",
          "is not JSON: something else was expected here"};
}

// The library keeps the last of two equal keys without a word: told apart while parsing.
class Duplicates {
 public:
  void see(Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::object_start) open_.emplace_back();
    if (event == Json::parse_event_t::object_end) open_.pop_back();
    if (event != Json::parse_event_t::key) return;
    const auto name = parsed.get<std::string>();
    if (!open_.back().insert(name).second) found.push_back(name);
  }
  std::vector<std::string> found;

 private:
  std::vector<std::set<std::string>> open_;
};

}  // namespace

Read read_json(std::string_view text, const std::string& file) {
  Read read;
  Duplicates duplicates;
  try {
    const Json root = Json::parse(text, [&](int, Json::parse_event_t event, Json& parsed) {
      duplicates.see(event, parsed);
      return true;
    });
    if (!root.is_object()) {
      read.problems.push_back({file, 0, 0, "", "wants an object with one object a section"});
      return read;
    }
    for (const std::string& name : duplicates.found) {
      read.problems.push_back({file, 0, 0, name, "is given twice; keep one"});
    }
    for (const auto& [name, node] : root.items()) {
      if (!node.is_object()) {
        read.given.push_back(given_of("", name, node));
        continue;
      }
      read.given.push_back({name, "", std::monostate{}});
      for (const auto& [inner, value] : node.items()) read.given.push_back(given_of(name, inner, value));
    }
  } catch (const Json::parse_error& error) {
    read.given.clear();
    read.problems = {not_json(text, file, error.byte)};
  } catch (const Json::exception&) {
    read.given.clear();
    read.problems = {{file, 0, 0, "", "holds a number no integer can hold"}};
  }
  return read;
}

}  // namespace aa
