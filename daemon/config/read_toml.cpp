// config/read_toml.cpp: toml++ is spoken here and nowhere else; its exceptions end here.
#include <toml++/toml.h>

#include "config/given.h"

namespace aa {
namespace {

std::string kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

Given given_of(std::string section, std::string name, const toml::node& node) {
  Given given{std::move(section), std::move(name), Misfit{}, node.source().begin.line, node.source().begin.column};
  if (const auto* integer = node.as_integer()) {
    given.value = integer->get();
  } else if (const auto* text = node.as_string()) {
    given.value = text->get();
  } else {
    given.value = Misfit{kind_of(node)};
  }
  return given;
}

}  // namespace

Read read_toml(std::string_view text, const std::string& file) {
  Read read;
  try {
    const toml::table root = toml::parse(text);
    for (const auto& [name, node] : root) {
      const toml::table* section = node.as_table();
      if (section == nullptr) {
        read.given.push_back(given_of("", std::string(name.str()), node));
        continue;
      }
      Given opening = given_of(std::string(name.str()), "", node);
      opening.value = std::monostate{};
      read.given.push_back(std::move(opening));
      for (const auto& [inner, value] : *section) {
        read.given.push_back(given_of(std::string(name.str()), std::string(inner.str()), value));
      }
    }
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    read.given.clear();
    read.problems.push_back({file, at.line, at.column, "", "is not TOML: " + std::string(error.description())});
  }
  return read;
}

}  // namespace aa
