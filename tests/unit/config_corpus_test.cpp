// Broken configurations, and exactly what is said of each: tests/corpus/configs.txt.
#include <fstream>
#include <iostream>

#include "config/load.h"
#include "support/catch.h"

using namespace aa;

namespace {

struct Case {
  std::size_t line = 0;  // where it begins in the table
  std::string file;
  std::string text;
  std::vector<std::string> wanted;
};

// "= a.toml", the text, then a line "> PROBLEM" for each problem; what follows "is not TOML" are the library's words,
// and stay out of the table. Lines before the first "=" are about the table.
std::vector<Case> corpus() {
  std::ifstream table(AA_TREE "/tests/corpus/configs.txt");
  REQUIRE(table.good());
  std::vector<Case> cases;
  std::string line;
  for (std::size_t number = 1; std::getline(table, line); ++number) {
    if (line.starts_with("= "))
      cases.push_back({number, line.substr(2), "", {}});
    else if (cases.empty())
      continue;
    else if (line.starts_with("> "))
      cases.back().wanted.push_back(line.substr(2));
    else
      cases.back().text += line + "\n";
  }
  return cases;
}

std::vector<std::string> said(const Case& one) {
  std::vector<std::string> out;
  const Loaded loaded = parse_config(one.text, one.file);
  if (const auto* problems = std::get_if<std::vector<Problem>>(&loaded))
    for (const Problem& problem : *problems) {
      out.push_back(problem.text());
      if (const auto library = out.back().find("is not TOML"); library != std::string::npos)
        out.back().resize(library + std::string_view("is not TOML").size());
    }
  return out;
}

}  // namespace

TEST_CASE("config: each of 150 and more broken files is refused with exactly these sentences") {
  const auto cases = corpus();
  CHECK(cases.size() >= 150);
  for (const Case& one : cases) {
    CAPTURE(one.line, one.text);
    CHECK_FALSE(one.wanted.empty());
    CHECK(said(one) == one.wanted);
  }
}

TEST_CASE("config: prints the corpus with what is said now", "[.write]") {
  for (const Case& one : corpus()) {
    std::cout << "= " << one.file << "\n" << one.text;
    for (const std::string& sentence : said(one)) std::cout << "> " << sentence << "\n";
  }
}
