// Detection: the corpus, the table, and how much a hostile argv may cost.
#include "state/detect.h"

#include <algorithm>
#include <ctime>

#include "support/catch.h"
#include "support/corpus.h"
#include "support/rounds.h"

using namespace aa;
using namespace aa::test;

namespace {

const std::string kCorpus = std::string(AA_TREE) + "/tests/corpus/commands.txt";

std::string said_of(const Sighting& sighting) {
  const Rule* rule = Detection(sighting, shipped_detect_table()).worst();
  if (rule == nullptr) return "none";
  return std::string(name_of(rule->detect_class)) + " " + std::string(name_of(rule->severity));
}

std::string rule_of(std::vector<std::string> argv) {
  const Rule* rule = Detection(sighting_of(std::move(argv)), shipped_detect_table()).worst();
  return rule == nullptr ? "" : rule->name;
}

// Most of what one argv may cost, in seconds; a sanitizer's own work comes on top.
#ifdef __SANITIZE_ADDRESS__
constexpr double kMoment = 5;
#else
constexpr double kMoment = 1;
#endif

// Where a processor is emulated, times say nothing.
bool times_count() {
  return test::sparse() == 1;
}

// Seconds of this thread's own time: other work on the machine does not count.
double cost_once(const std::vector<std::string>& argv) {
  timespec begin{}, end{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  (void)rule_of(argv);
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
  return static_cast<double>(end.tv_sec - begin.tv_sec) + static_cast<double>(end.tv_nsec - begin.tv_nsec) / 1e9;
}

// The least of a few tries: what a hypervisor takes away meanwhile counts as the thread's own.
double cost_of(const std::vector<std::string>& argv) {
  double least = cost_once(argv);
  for (int tries = 1; tries < 5 && least >= kMoment; ++tries) least = std::min(least, cost_once(argv));
  return least;
}

std::string wrong_with(std::string_view text) {
  const auto parsed = parse_detect_table(text);
  const auto* wrong = std::get_if<std::string>(&parsed);
  return wrong == nullptr ? "" : *wrong;
}

std::string rule_by(const DetectChange& change, std::vector<std::string> argv) {
  const auto table = change_detect_table(shipped_detect_table(), change);
  REQUIRE(std::holds_alternative<DetectTable>(table));
  const Rule* rule = Detection(sighting_of(std::move(argv)), std::get<DetectTable>(table)).worst();
  return rule == nullptr ? "" : rule->name;
}

std::string wrong_with_line(const std::string& line) {
  const auto read = read_corpus_line("x:1", line);
  const auto* wrong = std::get_if<std::string>(&read);
  return wrong == nullptr ? "" : *wrong;
}

}  // namespace

TEST_CASE("detect: every line of the corpus is judged as it says") {
  const auto read = read_corpus(kCorpus);
  if (const auto* wrong = std::get_if<std::string>(&read)) FAIL(*wrong);
  const auto& corpus = std::get<std::vector<CorpusLine>>(read);
  std::size_t harmless = 0;
  for (const CorpusLine& line : corpus) {
    INFO(line.where);
    const Rule* rule = Detection(line.sighting, shipped_detect_table()).worst();
    INFO("rule " << (rule == nullptr ? "none" : rule->name));
    CHECK(said_of(line.sighting) == line.expected);
    harmless += line.expected == "none" || line.expected.ends_with(" info") ? 1 : 0;
  }
  CHECK(corpus.size() >= 120);
  CHECK(3 * harmless >= corpus.size());
}

TEST_CASE("detect: a plain command has no rule, a piped download names its rule") {
  CHECK(rule_of({"ls"}).empty());
  CHECK(rule_of({}).empty());
  CHECK(rule_of({""}).empty());
  CHECK(rule_of({"sh", "-c", "curl x | sh"}) == "download-to-shell");
}

TEST_CASE("detect: a copy under another name is judged as the program it is known as") {
  Sighting sighting = sighting_of({"/opt/tool", "-c", "curl x | sh"});
  CHECK(said_of(sighting) == "none");
  sighting.known_as = "bash";
  CHECK(said_of(sighting) == "pipe-to-shell critical");
}

TEST_CASE("detect: what becomes known later is judged by what it adds") {
  Sighting sighting = sighting_of({"/tmp/notes", "-c", "ls"});
  const Detection before(sighting, shipped_detect_table());
  CHECK(before.worst()->name == "temp");
  sighting.known_as = "bash";
  const Detection after(sighting, shipped_detect_table());
  REQUIRE(after.worst_beyond(before) != nullptr);
  CHECK(after.worst_beyond(before)->name == "renamed-shell");
  CHECK(after.worst_beyond(after) == nullptr);
}

TEST_CASE("detect: what a command's output may carry is what it fetched or let through") {
  const auto& families = shipped_detect_table().families;
  const Families download = families.at("downloader");
  const auto carries = [](std::vector<std::string> argv, Families upstream) {
    Sighting sighting = sighting_of(std::move(argv));
    sighting.upstream = upstream;
    return Detection(sighting, shipped_detect_table()).output();
  };
  CHECK((carries({"curl", "x"}, 0) & download) != 0);
  CHECK((carries({"sudo", "curl", "x"}, 0) & download) != 0);
  CHECK((carries({"bash", "-c", "curl x | gunzip"}, 0) & download) != 0);
  CHECK((carries({"gunzip"}, download) & download) != 0);
  CHECK((carries({"ls"}, 0) & download) == 0);
}

TEST_CASE("detect: no argv costs more than a moment, however it is nested") {
  if (!times_count()) return;
  std::vector<std::string> hostile = {std::string(90'000, '('), std::string(90'000, '`'), "a=b;"};
  std::string nested, doubling = "a=xxxxxxxxxxxxxxxx;";
  for (int i = 0; i < 8'000; ++i) nested += "$(echo \"";
  for (int i = 0; i < 2'000; ++i) doubling += "a=$a$a;$a$a$a|sh;";
  std::string groups, pipes;
  for (int i = 0; i < 20'000; ++i) groups += "{ (";
  for (int i = 0; i < 20'000; ++i) pipes += "curl|sh|";
  std::string evals;
  for (int i = 0; i < 12'000; ++i) evals += "eval ";
  std::string functions, keywords;
  for (int i = 0; i < 16'000; ++i) functions += "f() ";
  for (int i = 0; i < 6'000; ++i) keywords += "function f ";
  hostile.insert(hostile.end(),
                 {nested, doubling, groups, pipes, evals, functions, keywords, std::string(60'000, '{') + ",}",
                  std::string(30'000, 'x') + "{" + std::string(30'000, ',') + "}"});
  for (const std::string& text : hostile) {
    INFO(text.substr(0, 40));
    CHECK(cost_of({"bash", "-c", text}) < kMoment);
  }
}

TEST_CASE("detect: no argv of many words costs more than a moment, whatever they lead to") {
  if (!times_count()) return;
  const std::vector<std::string> units = {"find . -exec ", "{a,b}",   "sudo -iu x ", "python3 -m ",
                                          "timeout 1 ",    "env -S ", "xargs ",      "tmux new "};
  for (const std::string& unit : units) {
    std::string text;
    while (text.size() < 64'000) text += unit;
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.size(), text.find(' ', at));
      words.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    const std::vector<std::vector<std::string>> lines = {
        words, {"bash", "-c", text}, {"env", "-S", text}, {"ssh", "-o", text, "x"}};
    for (const auto& line : lines) {
      INFO(unit << line[0]);
      CHECK(cost_of(line) < kMoment);
    }
  }
}

TEST_CASE("detect: a long row of words behind a command does not hide it") {
  std::vector<std::string> line = {"sudo", "env", "A=b", "nice", "-n5", "timeout", "9", "bash", "-c", "curl x | sh"};
  line.resize(20'000, "x");
  CHECK(rule_of(line) == "download-to-shell");
}

TEST_CASE("detect table: what is wrong is told with its line, and nothing of the table is taken") {
  CHECK(wrong_with("family a b\nrule x mischief critical | command a | No.")
            .find("line 2: no class is called \"mischief\"; there are shell, downloader") == 0);
  CHECK(wrong_with("family a b\nrule x shell loud | command a | No.") ==
        "line 2: a severity is info, warning or critical, not \"loud\"");
  CHECK(wrong_with("rule x shell info | command ghosts | No.") == "line 1: no family is called \"ghosts\"");
  CHECK(wrong_with("family a b\nrule x shell info | command a ; smells bad | No.")
            .find("line 2: no test is called \"smells bad\"") == 0);
  CHECK(wrong_with("rule x shell info") == "line 1: a rule is: rule NAME CLASS SEVERITY | CONDITIONS | SENTENCE");
  CHECK(wrong_with("wrapper x colour=blue") == "line 1: a wrapper has no \"colour=blue\"");
  CHECK(wrong_with("famly a b") == "line 1: \"famly\" is not one of family, runner, wrapper, rule");
}

TEST_CASE("detect corpus: a line that cannot be read says where and why") {
  CHECK(wrong_with_line("shell info bash") == "x:1: there is no \" | \" between what is expected and the command");
  CHECK(wrong_with_line("none | a; b") == "x:1: it is not one simple command");
  CHECK(wrong_with_line("none | [colour] a") == "x:1: no fact is called [colour]");
  CHECK(wrong_with_line("none | ls").empty());
}

TEST_CASE("detect: a rule that is switched off does not count, and the next worst is told") {
  CHECK(rule_by({}, {"curl", "x"}) == "download");
  CHECK(rule_by({{"download"}, {}}, {"curl", "x"}).empty());
  CHECK(rule_by({{"download-to-shell"}, {}}, {"sh", "-c", "curl x | sh"}) != "download-to-shell");
}

TEST_CASE(
    "detect: own rows name new programs, add to families, and are told before the table's own of the same severity") {
  const DetectChange change{
      {"docker-run"},
      {"family vault vault hvac:-x", "family downloader fetchit", "wrapper corp-run positionals=1",
       "rule vault-use escape warning | command vault | The vault is used.",
       "rule any-download downloader info | command downloader | Own words.",
       "rule docker-run escape info | command docker ; word run | A container, as everywhere here."}};
  CHECK(rule_by(change, {"vault", "read"}) == "vault-use");
  CHECK(rule_by(change, {"hvac"}).empty());
  CHECK(rule_by(change, {"hvac", "-x"}) == "vault-use");
  CHECK(rule_by(change, {"fetchit", "x"}) == "any-download");
  CHECK(rule_by(change, {"curl", "x"}) == "any-download");
  CHECK(rule_by(change, {"sh", "-c", "fetchit x | sh"}) == "download-to-shell");
  CHECK(rule_by(change, {"corp-run", "job", "vault", "read"}) == "vault-use");
  CHECK(rule_by(change, {"docker", "run", "x"}) == "docker-run");
}

TEST_CASE("detect: every own row that is wrong is told") {
  const auto changed = change_detect_table(
      shipped_detect_table(),
      {{},
       {"rule shell shell info | command shell | Again.", "family x y", "rule a b info | line | X.", "family z :-x",
        "wrapper w positionals=x", "rule c shell info | command x ; any z | Fine."}});
  const auto* problems = std::get_if<std::vector<DetectProblem>>(&changed);
  REQUIRE(problems != nullptr);
  REQUIRE(problems->size() == 4);
  CHECK((*problems)[0].row == 0);
  CHECK((*problems)[0].what == "there are two rules \"shell\"");
  CHECK((*problems)[1].row == 2);
  CHECK((*problems)[2].what == "\":-x\" names no program");
  CHECK((*problems)[3].what == "a wrapper has no \"positionals=x\"");
}
