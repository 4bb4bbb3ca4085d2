// tests/support/corpus.h: tests/corpus/commands.txt → what is expected of which exec.
#pragma once

#include <fstream>
#include <string>
#include <variant>
#include <vector>

#include "state/detect.h"
#include "state/shell_script.h"

namespace aa::test {

struct CorpusLine {
  std::string where;     // "commands.txt:12"
  std::string expected;  // "shell info", "none"
  Sighting sighting;
};

// "[memfd] [exe=/x] COMMAND" → a sighting, or what is wrong with it.
inline std::variant<Sighting, std::string> read_sighting(std::string text) {
  Sighting facts;
  while (text.starts_with('[')) {
    const std::size_t end = text.find("] ");
    if (end == std::string::npos) return "a fact in [ ] has no end";
    const std::string fact = text.substr(1, end - 1);
    if (fact == "memfd") {
      facts.memfd = true;
    } else if (fact == "deleted") {
      facts.deleted = true;
    } else if (fact == "inet") {
      facts.stdin_inet = true;
    } else if (fact.starts_with("exe=")) {
      facts.exe = fact.substr(4);
    } else if (fact.starts_with("as=")) {
      facts.known_as = fact.substr(3);
    } else if (const auto family =
                   shipped_detect_table().families.find(fact.substr(std::min<std::size_t>(5, fact.size())));
               fact.starts_with("from=") && family != shipped_detect_table().families.end()) {
      facts.upstream |= family->second;
    } else {
      return "no fact is called [" + fact + "]";
    }
    text.erase(0, end + 2);
  }
  shell::Variables none;
  shell::Budget budget;
  const shell::Script script = shell::parse(text, none, budget);
  if (script.pipelines.size() != 1 || script.pipelines[0].stages.size() != 1) return "it is not one simple command";
  std::vector<std::string> argv;
  for (const shell::Word& word : script.pipelines[0].stages[0].words) argv.push_back(word.text);
  if (argv.empty()) return "it is not one simple command";
  Sighting sighting = sighting_of(argv);
  facts.argv = sighting.argv;
  facts.filename = sighting.filename;
  return facts;
}

// "EXPECTED | COMMAND", or what is wrong with it and where.
inline std::variant<CorpusLine, std::string> read_corpus_line(const std::string& where, const std::string& line) {
  const std::size_t bar = line.find(" | ");
  if (bar == std::string::npos) return where + ": there is no \" | \" between what is expected and the command";
  auto sighting = read_sighting(line.substr(bar + 3));
  if (auto* wrong = std::get_if<std::string>(&sighting)) return where + ": " + *wrong;
  return CorpusLine{where, line.substr(0, bar), std::get<Sighting>(std::move(sighting))};
}

inline std::variant<std::vector<CorpusLine>, std::string> read_corpus(const std::string& path) {
  std::ifstream file(path);
  std::vector<CorpusLine> out;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.starts_with('#')) continue;
    auto read = read_corpus_line(path.substr(path.rfind('/') + 1) + ":" + std::to_string(number), line);
    if (auto* wrong = std::get_if<std::string>(&read)) return *wrong;
    out.push_back(std::get<CorpusLine>(std::move(read)));
  }
  return out;
}

}  // namespace aa::test
