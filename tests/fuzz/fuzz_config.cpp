// Both readers of configurations, fed with damaged ones: `fuzz_config SECONDS [SEED]`. Seeds are the table of broken
// configurations, the shipped file, and files of agents' own. Whatever it is fed, it is a Config whose print is the
// same Config, or problems that say a place and a sentence; and for an import, denials that can be compiled. To be run
// under the sanitizers.
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "config/compare.h"
#include "config/import.h"
#include "config/load.h"
#include "state/plan.h"

using namespace aa;

namespace {

struct Seed {
  std::string file;
  std::string text;
};

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  std::ifstream table(AA_TREE "/tests/corpus/configs.txt");
  for (std::string line; std::getline(table, line);) {
    if (line.starts_with("= "))
      out.push_back({line.substr(2), ""});
    else if (!out.empty() && !line.starts_with("> "))
      out.back().text += line + "\n";
  }
  std::stringstream shipped;
  shipped << std::ifstream(AA_TREE "/config/aa-ebpfd.toml").rdbuf();
  out.push_back({"a.toml", shipped.str()});
  out.push_back({".gitignore", "# a\n.env\n/top\n!no\nbuild/\n*.pem\ndeep/**/[^k-z]y\n\\#odd\nspace\\ \n{a,b}**c\n"});
  out.push_back(
      {"claude.json", R"-({"permissions": {"deny": ["Read(./.env)", "Read(//srv/**)", "Edit(~/x[!a])", "Bash(x)",
                                     "Read(/a/*.key)"]}, "sandbox": {"filesystem": {"denyRead": ["/x"]}}})-"});
  out.push_back({"codex.toml", R"-(default_permissions = "m"
[permissions.m.filesystem]
"/srv/**/*.key" = "none"
"~/.aws" = "deny"
":workspace_roots" = { "." = "write", "**/*.env" = "none" }
)-"});
  return out;
}

class Mutator {
 public:
  Mutator(std::vector<Seed> seeds, std::uint64_t seed) : seeds_(std::move(seeds)), random_(seed) {}

  Seed next() {
    Seed one = seeds_[below(seeds_.size())];
    for (std::size_t times = 1 + below(8); times > 0; --times) mutate(one.text);
    constexpr std::size_t kMost = 64 * 1024;
    if (one.text.size() > kMost) one.text.resize(kMost);
    return one;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void mutate(std::string& text) {
    static const std::vector<std::string> kWords = {"[",
                                                    "]",
                                                    "[[",
                                                    "]]",
                                                    "{",
                                                    "}",
                                                    "\"",
                                                    "'",
                                                    "=",
                                                    ",",
                                                    ":",
                                                    "\n",
                                                    "#",
                                                    "\\u0000",
                                                    "\xFF",
                                                    "\xEF\xBB\xBF",
                                                    "-1",
                                                    "1e999",
                                                    "9223372036854775808",
                                                    "true",
                                                    "null",
                                                    "[watched]\n",
                                                    "limit = 20\n",
                                                    "[[targets]]\n",
                                                    "exe = \"a\"\n",
                                                    "[[paths.rules]]\n",
                                                    "pattern = \"/**/{a,b}[!x-z]\"\n",
                                                    "\"ops\": [\"read\"]",
                                                    "\"\"\"",
                                                    "2026-01-01",
                                                    "[[detect.table]]\nrow = \"family x y\"\n",
                                                    "rule a shell info | flow x,y z ; any \\\"",
                                                    "wrapper w positionals=",
                                                    "0x1F"};
    const std::size_t at = below(text.size() + 1);
    switch (below(6)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(random_());
        break;
      case 1:
        text.erase(at, below(16));
        break;
      case 2:
        text.insert(at, kWords[below(kWords.size())]);
        break;
      case 3:
        text.insert(at, text.substr(below(text.size()), below(64)));
        break;
      case 4: {
        const std::string& other = seeds_[below(seeds_.size())].text;
        text = text.substr(0, at) + other.substr(below(other.size()));
        break;
      }
      default:
        text.insert(at, std::string(below(300), kWords[below(9)][0]));
    }
  }

  std::vector<Seed> seeds_;
  std::mt19937_64 random_;
};

std::string judge_import(ImportFormat format, const Seed& seed) {
  const Promises promises = translate(format, seed.text, "/home/u/p/x", {"/home/u/p", "/home/u"});
  if (promises.broken && !promises.rules.empty()) return "a broken file has rules";
  for (const PathRule& rule : promises.rules)
    if (rule.verdict != Verdict::deny || check_rule(rule)) return "an import gives a bad rule: " + rule.pattern;
  const auto compiled = PathRules::compile(promises.rules, {}, 1);
  if (const auto* refusal = std::get_if<Refusal>(&compiled))
    return "an import cannot be compiled: " + refusal->sentence;
  for (const auto& one : promises.skipped)
    if (one.why.empty()) return "an entry is left out without a reason";
  return "";
}

// "" when all is as it must be.
std::string judge(const Seed& seed) {
  for (const ImportFormat format : {ImportFormat::claude, ImportFormat::codex, ImportFormat::ignore})
    if (std::string wrong = judge_import(format, seed); !wrong.empty()) return wrong;
  const Loaded loaded = parse_config(seed.text, seed.file);
  if (const auto* problems = std::get_if<std::vector<Problem>>(&loaded)) {
    if (problems->empty()) return "refused without a reason";
    for (const Problem& problem : *problems)
      if (problem.sentence.empty() || problem.text().find('\n') != std::string::npos) return "no sentence of one line";
    return "";
  }
  const auto& config = std::get<Config>(loaded);
  const Loaded again = parse_config(print_config(config), "printed.toml");
  if (const auto* problems = std::get_if<std::vector<Problem>>(&again))
    return "what is printed is refused: " + problems->front().text();
  return differing(config, std::get<Config>(again)).empty() ? "" : "what is printed means something else";
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 20;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device()();
  Mutator mutator(seeds(), seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::uint64_t count = 0;
  for (; std::chrono::steady_clock::now() < end; ++count) {
    const Seed one = mutator.next();
    const std::string wrong = judge(one);
    if (wrong.empty()) continue;
    std::cerr << "seed " << seed << ", input " << count << ": " << wrong << "\n---- " << one.file << "\n"
              << one.text << "\n";
    return 1;
  }
  std::cout << count << " configurations, seed " << seed << "\n";
}
