// The tables of keys and records against what is shipped and documented. After a change to the tables,
// `unit_config '[.write]'` writes these files anew.
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config/keys.h"
#include "config/load.h"
#include "config/records.h"
#include "support/catch.h"

using namespace aa;

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kShipped = AA_TREE "/config/aa-ebpfd.toml";
constexpr const char* kPage = AA_TREE "/docs/config.md";
constexpr const char* kMan = AA_TREE "/docs/man/aa-ebpfd.toml.5";
constexpr const char* kSchema = AA_TREE "/docs/config.schema.json";

std::string contents(const char* path) {
  std::ifstream file(path);
  INFO(path);
  REQUIRE(file.good());
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string default_text(const Key& key) {
  return toml_text(value_of(key, Config{}));
}

std::string shipped() {
  std::string out =
      "# aa-ebpfd's configuration: every key, at its default. Remove the # before a key to change it, or give it in a\n"
      "# file of its own in conf.d beside this one. Check with: aa-ebpfd --check-config. Apply with: systemctl reload\n"
      "# aa-ebpfd; what takes effect at a restart only says so.\n";
  std::string_view section;
  for (const Key& key : all_keys()) {
    if (key.section != section)
      out += "\n[" + std::string(section = key.section) + "]\n";
    else
      out += "\n";
    out += "# " + std::string(key.text) + "\n# Allowed: " + key.allowed() + "." +
           (key.applies == Applies::restart ? " Takes effect at a restart.\n" : "\n") + "#" + std::string(key.name) +
           " = " + default_text(key) + "\n";
  }
  for (const Record& record : all_records()) {
    out += "\n# In any number:\n# [[" + std::string(record.dotted) + "]]  # " + std::string(record.text) + "\n";
    for (const Field& field : record.fields)
      out += "#   " + std::string(field.name) + ": " + std::string(field.text) +
             " Allowed: " + std::string(field.allowed) + ".\n";
  }
  return out;
}

std::string page_rows() {
  std::string out = "| key | default | allowed | takes effect | meaning |\n| --- | --- | --- | --- | --- |\n";
  for (const Key& key : all_keys())
    out += "| `" + key.dotted() + "` | `" + default_text(key) + "` | " + key.allowed() + " | " +
           std::string(name_of(key.applies)) + " | " + std::string(key.text) + " |\n";
  for (const Record& record : all_records()) {
    out += "\n`[[" + std::string(record.dotted) + "]]`, in any number: " + std::string(record.text) +
           "\n\n| field | allowed | meaning |\n| --- | --- | --- |\n";
    for (const Field& field : record.fields)
      out += "| `" + std::string(field.name) + "` | " + std::string(field.allowed) + " | " + std::string(field.text) +
             " |\n";
  }
  return out;
}

std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '-' ? "\\-" : c == '\\' ? "\\\\" : std::string(1, c);
  return out;
}

std::string man_rows() {
  std::string out;
  for (const Key& key : all_keys())
    out += ".TP\n.B " + roff(key.dotted()) + "\n" + roff(key.text) + " Allowed: " + roff(key.allowed()) +
           ". Default: " + roff(default_text(key)) +
           (key.applies == Applies::restart ? ". Takes effect at a restart.\n" : ".\n");
  for (const Record& record : all_records()) {
    out += ".SS [[" + roff(record.dotted) + "]]\n" + roff(record.text) + " In any number.\n";
    for (const Field& field : record.fields)
      out += ".TP\n.B " + roff(field.name) + "\n" + roff(field.text) + " Allowed: " + roff(field.allowed) + ".\n";
  }
  return out;
}

Json schema_of(const Key& key) {
  Json out = {{"description", std::string(key.text)}};
  if (const auto* integer = std::get_if<IntegerKey>(&key.type)) {
    out.update({{"type", "integer"}, {"minimum", integer->low}, {"maximum", integer->high}});
  } else if (std::holds_alternative<ListKey>(key.type)) {
    out.update({{"type", "array"}, {"items", {{"type", "string"}}}, {"uniqueItems", true}});
  } else {
    out["type"] = "string";
    for (const std::string_view choice : std::get<TextKey>(key.type).choices)
      out["enum"].push_back(std::string(choice));
  }
  const KeyValue value = value_of(key, Config{});
  std::visit([&](const auto& one) { out["default"] = one; }, value);
  return out;
}

Json schema_of(const Record& record) {
  Json item = {{"type", "object"}, {"description", std::string(record.text)}, {"additionalProperties", false}};
  for (const Field& field : record.fields) {
    Json& out = item["properties"][std::string(field.name)];
    out = {{"description", std::string(field.text)}};
    if (field.type == Field::Type::integer) out["type"] = "integer";
    if (field.type == Field::Type::text) out["type"] = "string";
    if (field.type == Field::Type::list) out.update({{"type", "array"}, {"items", {{"type", "string"}}}});
  }
  return {{"type", "array"}, {"items", item}};
}

std::string schema() {
  Json sections = Json::object();
  const auto add = [&](std::string_view dotted, const Json& what) {
    const std::size_t dot = dotted.find('.');
    if (dot == std::string_view::npos) {
      sections[std::string(dotted)] = what;
      return;
    }
    Json& section = sections[std::string(dotted.substr(0, dot))];
    section["type"] = "object";
    section["additionalProperties"] = false;
    section["properties"][std::string(dotted.substr(dot + 1))] = what;
  };
  for (const Key& key : all_keys()) add(key.dotted(), schema_of(key));
  for (const Record& record : all_records()) add(record.dotted, schema_of(record));
  const Json out = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                    {"title", "aa-ebpfd's configuration, as JSON or TOML"},
                    {"type", "object"},
                    {"additionalProperties", false},
                    {"properties", sections}};
  return out.dump(1) + "\n";
}

// What lies between a page's two marks.
struct Marked {
  std::string before;
  std::string rows;
  std::string after;
};

Marked marked(const char* path, const std::string& begin, const std::string& end) {
  const std::string text = contents(path);
  const std::size_t first = text.find(begin), last = text.find(end);
  INFO(path);
  REQUIRE((first != std::string::npos && last != std::string::npos));
  const std::size_t from = first + begin.size();
  return {text.substr(0, from), text.substr(from, last - from), text.substr(last)};
}

Marked page() {
  return marked(kPage, "<!-- keys -->\n", "<!-- end of keys -->");
}
Marked man() {
  return marked(kMan, ".\\\" keys\n", ".\\\" end of keys");
}

Config config_of(const std::string& text) {
  Loaded loaded = parse_config(text, "a.toml");
  if (const auto* problems = std::get_if<std::vector<Problem>>(&loaded)) FAIL(problems->front().text());
  return std::get<Config>(std::move(loaded));
}

}  // namespace

TEST_CASE("config: the shipped file shows every key, commented, at its default, with its text") {
  const std::string text = contents(kShipped);
  CHECK(text == shipped());
  CHECK(config_of(text).origin.empty());
  std::string uncommented;
  std::stringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    uncommented += (key ? line.substr(1) : line) + "\n";
  }
  const Config config = config_of(uncommented);
  for (const Key& key : all_keys()) {
    CAPTURE(key.dotted());
    CHECK(value_of(key, config) == value_of(key, Config{}));
    CHECK(config.origin.contains(key.dotted()));
  }
}

TEST_CASE("config: page, man page and JSON schema have every key and field as the tables do, and none besides") {
  CHECK(page().rows == page_rows());
  CHECK(man().rows == man_rows());
  CHECK(contents(kSchema) == schema());
}

TEST_CASE("config: writes the pages anew", "[.write]") {
  std::ofstream(kShipped) << shipped();
  const Marked the_page = page();
  std::ofstream(kPage) << the_page.before + page_rows() + the_page.after;
  const Marked the_man = man();
  std::ofstream(kMan) << the_man.before + man_rows() + the_man.after;
  std::ofstream(kSchema) << schema();
}
