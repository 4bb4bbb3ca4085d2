#include "config/rule_files.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "config/patient_read.h"
#include "state/rule_clashes.h"
#include "state/rules_text.h"
#include "state/sensitive_paths.h"

namespace aa {
namespace {

constexpr std::size_t kMostRuleBytes = 16 << 20;
constexpr std::size_t kMostFiles = 256;

class RuleFiles {
 public:
  RuleFiles(Config& config, std::vector<Problem>& problems)
      : rules_(config.paths.rules), places_(config.included), problems_(problems) {}

  // `by`: what names it, blamed when it cannot be read.
  void take(const std::string& file, const Problem& by) {
    if (std::find(open_.begin(), open_.end(), file) != open_.end()) return blame(by, "includes itself: " + loop(file));
    if (!taken_.insert(file).second) return;  // its rules are there already
    if (taken_.size() > kMostFiles)
      return blame(by, "is one file more than the " + std::to_string(kMostFiles) + " there may be");
    const Result<std::string> text = reader_.read(file, kMostRuleBytes);
    if (!text) {
      const Error& error = text.error();
      return blame(by,
                   error.doing + (error.errno_value == 0 ? "" : std::string(": ") + std::strerror(error.errno_value)));
    }
    open_.push_back(file);
    take_text(file, *text);
    open_.pop_back();
  }

  std::vector<std::string> taken() const { return {taken_.begin(), taken_.end()}; }

 private:
  void take_text(const std::string& file, const std::string& text) {
    RulesText said = read_rules(text, RuleLayer::file);
    for (RulesProblem& one : said.problems) add_problem(file, one.line, one.column, std::move(one.what));
    RuleClashes known;
    const auto name = std::make_shared<const std::string>(file);
    for (RulesText::Line& one : said.rules) {
      if (auto wrong = known.add(one.rule, static_cast<std::uint32_t>(one.line)))
        add_problem(file, one.line, one.column, "the rule for " + one.rule.pattern + " " + *wrong);
      rules_.push_back(std::move(one.rule));
      places_.push_back({name, static_cast<std::uint32_t>(one.line)});
    }
    for (const RulesText::Include& include : said.includes)
      take(include.path,
           {file, static_cast<std::uint32_t>(include.line), static_cast<std::uint32_t>(include.column), "", ""});
  }

  void add_problem(const std::string& file, std::size_t line, std::size_t column, std::string what) {
    problems_.push_back(
        {file, static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(column), "", std::move(what)});
  }

  void blame(Problem by, const std::string& sentence) {
    by.sentence = by.sentence.empty() ? "include " + sentence : by.sentence + sentence;
    problems_.push_back(std::move(by));
  }

  std::string loop(const std::string& file) const {
    std::string out;
    for (const std::string& one : open_) out += one + " → ";
    return out + file;
  }

  std::vector<PathRule>& rules_;
  std::vector<Config::RulePlace>& places_;
  std::vector<Problem>& problems_;
  PatientRead reader_;
  std::vector<std::string> open_;
  std::set<std::string> taken_;
};

}  // namespace

void load_path_rules(Config& config, const Problem& included, std::vector<Problem>& problems) {
  std::vector<PathRule>& rules = config.paths.rules;
  rules.clear();
  config.included.clear();
  if (config.paths.shipped == "on") rules = sensitive_paths();
  rules.insert(rules.end(), config.paths.own.begin(), config.paths.own.end());
  RuleFiles files(config, problems);
  for (const std::string& file : config.paths.include)
    files.take(file, {included.file, included.line, included.column, "paths.include", "names " + file + ", which "});
  config.rule_files = files.taken();
}

}  // namespace aa
