// Path rules: what a pattern means, which rule wins, what is refused, and the list everybody begins with.
#include <array>
#include <map>

#include "state/plan.h"
#include "state/rule_clashes.h"
#include "state/rules_text.h"
#include "state/sensitive_paths.h"
#include "support/catch.h"

using namespace aa;

namespace {

using Set = std::shared_ptr<const PathRules>;

bool glob_matches(std::string_view pattern, std::string_view path) {
  const auto glob = Glob::parse(pattern);
  INFO(std::string(pattern));
  REQUIRE(std::holds_alternative<Glob>(glob));
  return std::get<Glob>(glob).matches(path);
}

std::vector<PathRule> rules_of(std::string_view text, RuleLayer layer = RuleLayer::runtime) {
  auto rules = parse_rules(text, layer);
  if (const auto* problems = std::get_if<std::vector<RulesProblem>>(&rules)) FAIL(problems->front().what);
  return std::get<std::vector<PathRule>>(std::move(rules));
}

Set compiled(std::vector<PathRule> rules) {
  auto set = PathRules::compile(std::move(rules), {"/root", "/home/ann"}, 7);
  if (const auto* refusal = std::get_if<Refusal>(&set)) FAIL(refusal->sentence);
  return std::get<Set>(set);
}

Set compiled(std::string_view text) {
  return compiled(rules_of(text));
}

std::string verdict(const Set& set, std::string_view path, FileOp op = FileOp::open) {
  PathQuery query;
  query.path = path;
  query.op = op;
  const Judgement judgement = set->judge(query);
  return std::string(name_of(judgement.verdict)) + (judgement.rule == nullptr ? "" : " " + judgement.rule->pattern);
}

std::string refusal(std::string_view text) {
  const auto rules = parse_rules(text, RuleLayer::runtime);
  if (!std::holds_alternative<std::vector<RulesProblem>>(rules)) return "";
  const auto& problem = std::get<std::vector<RulesProblem>>(rules).front();
  return std::to_string(problem.line) + ": " + problem.what;
}

}  // namespace

TEST_CASE("rules: what is watched is neither denied nor allowed; a deny wins, and of an allow the longer beginning") {
  const Set set =
      compiled("watch /srv/\nallow /srv/public/\nwatch /srv/public/log/\ndeny /srv/secret\nwatch **/*.key\n");
  CHECK(verdict(set, "/srv/data") == "watch /srv/");
  CHECK(verdict(set, "/srv/public/x") == "allow /srv/public/");
  CHECK(verdict(set, "/srv/public/log/x") == "watch /srv/public/log/");
  CHECK(verdict(set, "/srv/secret") == "deny /srv/secret");
  CHECK(verdict(set, "/home/a.key") == "watch **/*.key");
  const Set same = compiled("allow /srv/\nwatch ops=write /srv/\n");
  CHECK(verdict(same, "/srv/x") == "allow /srv/");
  CHECK(verdict(same, "/srv/x", FileOp::write) == "watch /srv/");
}

TEST_CASE("rules: an object is marked for the kernel by the verdicts that name it") {
  const Set set = compiled("watch /a/\ndeny ops=write /a/\nallow /b\nwatch /c\n");
  REQUIRE(set->objects().size() == 3);
  const auto marks = [&](std::size_t at) { return std::pair(set->objects()[at].denies, set->objects()[at].watches); };
  CHECK(marks(0) == std::pair(true, true));
  CHECK(marks(1) == std::pair(false, false));
  CHECK(marks(2) == std::pair(false, true));
}

TEST_CASE("glob: a star stays inside its component, two stars cross") {
  CHECK(glob_matches("/home/*/.aws/**", "/home/ann/.aws/credentials"));
  CHECK(glob_matches("/home/*/.aws/**", "/home/ann/.aws/sso/cache/x.json"));
  CHECK_FALSE(glob_matches("/home/*/.aws/**", "/home/ann/x/.aws/credentials"));
  CHECK_FALSE(glob_matches("/home/*/.aws/**", "/home/ann/.awsome/credentials"));
  CHECK(glob_matches("/**/.env", "/.env"));
  CHECK(glob_matches("/**/.env", "/a/b/.env"));
  CHECK_FALSE(glob_matches("/**/.env", "/a/b/x.env"));
  CHECK_FALSE(glob_matches("/**/.env", "/a/.env/b"));
  CHECK(glob_matches("/a/*b*/c", "/a/xbxbx/c"));
  CHECK_FALSE(glob_matches("/a/*b*/c", "/a/x/b/c"));
  CHECK(glob_matches("/a/**/b/*/c", "/a/b/x/b/y/c"));
  CHECK(glob_matches("/a**z", "/a/b/z"));
  CHECK(glob_matches("/**/a*/b", "/a1/x/a2/b"));
}

TEST_CASE("glob: one character is one character, whatever its bytes") {
  CHECK(glob_matches("/?", "/ä"));
  CHECK(glob_matches("/?", "/x"));
  CHECK(glob_matches("/?", "/\xff"));
  CHECK_FALSE(glob_matches("/?", "/xy"));
  CHECK_FALSE(glob_matches("/a?b", "/a/b"));
}

TEST_CASE("glob: sets, ranges, negation, escapes") {
  CHECK(glob_matches("/k[0-9]", "/k7"));
  CHECK_FALSE(glob_matches("/k[!0-9]", "/k7"));
  CHECK(glob_matches("/k[]x]", "/k]"));
  CHECK_FALSE(glob_matches("/k[!x]y", "/k/y"));
  CHECK(glob_matches("/k[α-ω]", "/kβ"));
  CHECK(glob_matches("/k[x]", "/kx"));
  CHECK(glob_matches("/k[ä]", "/kä"));
  CHECK(glob_matches("/k[\\*][.]", "/k*."));
  CHECK(glob_matches("/k[-]", "/k-"));
  CHECK(glob_matches("/\\*", "/*"));
  CHECK_FALSE(glob_matches("/\\*", "/x"));
}

TEST_CASE("glob: many stars do not take forever") {
  const std::string path = "/" + std::string(3000, 'a');
  CHECK_FALSE(glob_matches("/*a*a*a*a*a*a*a*a*b", path));
  CHECK_FALSE(glob_matches("/**a**a**a**a**a**b", path));
}

TEST_CASE("rules: an exact path is that path alone") {
  const Set set = compiled("deny /etc/shadow");
  CHECK(verdict(set, "/etc/shadow") == "deny /etc/shadow");
  CHECK(verdict(set, "/etc/shadow-") == "none");
  CHECK(verdict(set, "/etc/shadow/x") == "none");
  CHECK(verdict(set, "/x/etc/shadow") == "none");
}

TEST_CASE("rules: a directory is itself and everything below it, by whole components") {
  const Set set = compiled("deny /root/.ssh/");
  CHECK(verdict(set, "/root/.ssh") == "deny /root/.ssh/");
  CHECK(verdict(set, "/root/.ssh/id_rsa") == "deny /root/.ssh/");
  CHECK(verdict(set, "/root/.ssh/a/b") == "deny /root/.ssh/");
  CHECK(verdict(set, "/root/.sshfoo") == "none");
  CHECK(verdict(compiled("deny /"), "/anything") == "deny /");
}

TEST_CASE("rules: a tilde stands for every home, an alternative for every choice") {
  const Set set = compiled("deny ~/.aws/{credentials,config}");
  CHECK(verdict(set, "/root/.aws/config") == "deny ~/.aws/{credentials,config}");
  CHECK(verdict(set, "/home/ann/.aws/credentials") == "deny ~/.aws/{credentials,config}");
  CHECK(verdict(set, "/home/bob/.aws/credentials") == "none");
  CHECK(set->objects().size() == 4);
}

TEST_CASE("rules: a home's name is never taken for a pattern") {
  auto set = PathRules::compile(rules_of("deny ~/x"), {"/home/[a]*"}, 1);
  REQUIRE(std::holds_alternative<Set>(set));
  CHECK(verdict(std::get<Set>(set), "/home/[a]*/x") == "deny ~/x");
  CHECK(verdict(std::get<Set>(set), "/home/a/x") == "none");
}

TEST_CASE("rules: a folder written as a glob holds what is below it") {
  const Set set = compiled("deny /home/*/.ssh/");
  CHECK(verdict(set, "/home/x/.ssh") == "deny /home/*/.ssh/");
  CHECK(verdict(set, "/home/x/.ssh/id") == "deny /home/*/.ssh/");
  CHECK(verdict(set, "/home/x/.sshd/id") == "none");
}

TEST_CASE("rules: deny wins unless an allow is plainly meant") {
  CHECK(verdict(compiled("deny **/.env\nallow ~/proj/"), "/root/proj/.env") == "deny **/.env");
  CHECK(verdict(compiled("deny **/.env\nallow /root/proj/.env"), "/root/proj/.env") == "allow /root/proj/.env");
  CHECK(verdict(compiled("deny /srv/\nallow /srv/pub/"), "/srv/pub/x") == "allow /srv/pub/");
  CHECK(verdict(compiled("deny /srv/pub/\nallow /srv/"), "/srv/pub/x") == "deny /srv/pub/");
  CHECK(verdict(compiled("deny /srv/a\nallow /srv/a"), "/srv/a") == "deny /srv/a");
  CHECK(verdict(compiled("deny /srv/*\nallow /srv/a*"), "/srv/ab") == "allow /srv/a*");
  CHECK(verdict(compiled("deny /srv/a*b\nallow /srv/*"), "/srv/ab") == "deny /srv/a*b");
  CHECK(verdict(compiled("deny /srv/\ndeny **/.env\nallow /srv/pub/"), "/srv/pub/.env") == "deny **/.env");
}

TEST_CASE("rules: a runtime allow never beats the file's deny; a runtime deny adds to it") {
  auto both = rules_of("deny /srv/", RuleLayer::file);
  for (const PathRule& rule : rules_of("allow /srv/pub/\ndeny /opt/x")) both.push_back(rule);
  const Set set = compiled(both);
  CHECK(verdict(set, "/srv/pub/x") == "deny /srv/");
  CHECK(verdict(set, "/opt/x") == "deny /opt/x");
}

TEST_CASE("rules: an allow is not believed about what is mounted in its place") {
  const Set set = compiled("deny /vault/\nallow /vault/known\nallow /vault/public/\ndeny **/*.key\nallow /shelf/*");
  const auto object = [&](std::string_view path) {
    return std::ranges::find(set->objects(), path, &PathRules::Object::path)->id;
  };
  const std::array vault{object("/vault")};
  const std::array with_public{object("/vault/public"), object("/vault")};
  PathQuery query;
  const auto judged = [&](std::string_view path) {
    query.path = path;
    return name_of(set->judge(query).verdict);
  };
  query.objects = vault;
  CHECK(judged("/vault/known") == "allow");
  CHECK(judged("/elsewhere/x") == "deny");
  query.bound = true;
  query.mount_point = std::string_view("/vault/known").size();
  CHECK(judged("/vault/known") == "allow");  // something of another tree, which no rule denies
  query.elsewhere = vault;
  CHECK(judged("/vault/known") == "deny");
  query.mount_point = std::string_view("/vault").size();
  CHECK(judged("/vault/known") == "allow");  // all of the vault is mounted here: the allow is for something inside
  query.mount_point = std::string_view("/vault/public").size();
  CHECK(judged("/vault/public/x") == "deny");
  query.objects = with_public;
  query.within = query.objects.first(1);  // its very own folder is mounted there
  CHECK(judged("/vault/public/x") == "allow");
  query = {};
  CHECK(judged("/shelf/a.key") == "allow");
  query.bound = true;
  query.mount_point = std::string_view("/shelf/a.key").size();
  CHECK(judged("/shelf/a.key") == "deny");
  query.mount_point = 0;
  CHECK(judged("/shelf/a.key") == "allow");
}

TEST_CASE("rules: a denied folder, or one that it lies in, that is mounted in an allowed place stays denied") {
  const Set set = compiled("deny /w/vault/\nallow /w/public-folder/\nallow /w/vault/known/");
  const auto object = [&](std::string_view path) {
    return std::ranges::find(set->objects(), path, &PathRules::Object::path)->id;
  };
  const std::array vault{object("/w/vault")};
  PathQuery query;
  query.bound = true;
  query.objects = query.within = vault;
  query.inner = "/w/vault/id";
  query.path = "/w/public-folder/id";
  query.mount_point = std::string_view("/w/public-folder").size();
  CHECK(set->judge(query).verdict == Verdict::deny);
  query.path = "/w/public-folder/vault/id";  // what it lies in is mounted there
  CHECK(set->judge(query).verdict == Verdict::deny);
  query.path = "/w/vault/known/id";  // once more, in itself
  query.mount_point = std::string_view("/w/vault/known").size();
  CHECK(set->judge(query).verdict == Verdict::deny);
}

TEST_CASE("rules: what a rule means only by where something is mounted is judged so, and is said to be") {
  const Set set = compiled("deny **/.env\ndeny /w/vault/\ndeny /w/secret");
  const auto by_mount = [&](std::string_view path, std::string_view point, bool bound, std::string_view inner = "") {
    PathQuery query;
    query.path = path;
    query.mount_point = point.size();
    query.bound = bound;
    query.inner = inner;
    const Judgement judgement = set->judge(query);
    CHECK(judgement.verdict == Verdict::deny);
    return judgement.by_mount;
  };
  CHECK(by_mount("/w/.env", "/w/.env", true, "/null"));
  CHECK(by_mount("/w/secret", "/w/secret", true, "/usr/lib/libc.so.6"));
  CHECK(by_mount("/w/vault/share/x", "/w/vault", true, "/usr/share/x"));
  CHECK(by_mount("/w/vault/cpuinfo", "/w/vault", false));
  CHECK_FALSE(by_mount("/w/vault/x", "", false));
  CHECK_FALSE(by_mount("/w/vault/x", "/w", false));
  CHECK_FALSE(by_mount("/home/ann/.env", "/home", false));
  CHECK_FALSE(by_mount("/home/ann/.env", "/home", true, "/data/home/ann/.env"));
}

TEST_CASE("rules: of two that are alike the first in the list is told, in whatever order they were met") {
  const Set set = compiled("watch /a/*x\nwatch /a/?*\ndeny /b/*x\ndeny /b/?*");
  for (const std::string path : {"/a/x", "/b/x"}) {
    PathQuery query;
    query.path = path;
    const std::array met{set->objects()[path[1] == 'a' ? 1 : 3].id};
    CHECK(set->judge(query).rule->pattern.ends_with("*x"));
    query.objects = met;
    CHECK(set->judge(query).rule->pattern.ends_with("*x"));
  }
}

TEST_CASE("rules: a folder that is denied and seen under another name is not uncovered by a longer allow") {
  const Set set = compiled("deny /vault/\nallow /home/ann/project/");
  const std::array met{set->objects().front().id};
  PathQuery query;
  query.path = "/home/ann/project/window/x";
  CHECK(set->judge(query).verdict == Verdict::allow);
  query.objects = met;
  CHECK(set->judge(query).verdict == Verdict::deny);
}

TEST_CASE("rules: operations and targets narrow a rule") {
  const Set set = compiled("deny ops=write,unlink target=claude /etc/passwd");
  PathQuery query;
  query.path = "/etc/passwd";
  query.op = FileOp::write;
  const PathQuery::Whose claude{"id", "claude"}, make{"id", "make"};
  query.targets = {&claude, 1};
  CHECK(set->judge(query).verdict == Verdict::deny);
  query.op = FileOp::open;
  CHECK(set->judge(query).verdict == Verdict::none);
  query.op = FileOp::unlink;
  query.targets = {&make, 1};
  CHECK(set->judge(query).verdict == Verdict::none);
  const std::array nested{make, claude};
  query.targets = nested;
  CHECK(set->judge(query).verdict == Verdict::deny);
  query.targets = {&make, 1};
  query.any_op = true;
  CHECK(set->judge(query).verdict == Verdict::deny);
}

TEST_CASE(
    "rules: of no operation in particular, a path is denied unless an allow lifts that for each operation and target") {
  const auto verdict = [](const std::string& rules) {
    PathQuery query;
    query.path = "/srv/x";
    query.any_op = true;
    return compiled(rules)->judge(query).verdict;
  };
  CHECK(verdict("deny /srv/\nallow /srv/x") == Verdict::allow);
  CHECK(verdict("deny /srv/\nallow ops=read /srv/x") == Verdict::deny);
  CHECK(verdict("deny ops=read /srv/\nallow ops=read,write /srv/x") == Verdict::allow);
  CHECK(verdict("deny ops=read,unlink /srv/\nallow ops=read,write /srv/x") == Verdict::deny);
  CHECK(verdict("deny /srv/\nallow target=claude /srv/x") == Verdict::deny);
  CHECK(verdict("deny target=claude /srv/\nallow target=claude /srv/x") == Verdict::allow);
  CHECK(verdict("deny target=claude /srv/\nallow /srv/x") == Verdict::allow);
}

TEST_CASE("rules: what was asked for is denied too, but never allows anything") {
  const Set set = compiled("deny /etc/shadow\ndeny /srv/\nallow /tmp/link");
  PathQuery query;
  query.requested = "/etc/../etc//shadow";
  CHECK(set->judge(query).verdict == Verdict::deny);
  query.requested = "/tmp/link";
  CHECK(set->judge(query).verdict == Verdict::none);
  query.path = "/srv/x";
  CHECK(set->judge(query).verdict == Verdict::deny);
}

TEST_CASE("rules: what was asked for is below a folder only if it does not climb out of it; it alone teaches nothing") {
  const Set set = compiled("deny /vault/\n");
  PathQuery query;
  query.path = "/x";
  query.requested = "/vault/../x";
  CHECK(set->judge(query).verdict == Verdict::none);
  query.requested = "/x/../vault/link";
  CHECK(set->judge(query).verdict == Verdict::deny);
  CHECK(set->judge(query).asked_only);
  query.path = "/vault/link";
  CHECK(set->judge(query).verdict == Verdict::deny);
  CHECK_FALSE(set->judge(query).asked_only);
}

TEST_CASE("rules: an object the kernel met denies whatever the path says, and allows nothing") {
  const Set set = compiled("deny /etc/shadow\nallow /srv/pub");
  const std::vector<std::uint32_t> objects = {set->objects()[0].id};
  PathQuery query;
  query.path = "/tmp/hardlink";
  query.objects = objects;
  CHECK(set->judge(query).rule->pattern == "/etc/shadow");
  const std::vector<std::uint32_t> allowed = {set->objects()[1].id, 99, 0};
  query.objects = allowed;
  CHECK(set->judge(query).verdict == Verdict::none);
  CHECK(set->objects()[0].denies);
  CHECK_FALSE(set->objects()[1].denies);
}

TEST_CASE("rules: of several denials the most severe decides") {
  const Set set = compiled("deny severity=info /srv/\ndeny severity=critical **/.env\ndeny /srv/a/b");
  CHECK(verdict(set, "/srv/a/.env") == "deny **/.env");
  CHECK(verdict(set, "/srv/a/b") == "deny /srv/a/b");
}

TEST_CASE("rules: a bad pattern is named with what is wrong with it") {
  const std::map<std::string, std::string> bad = {
      {"deny relative/path", "must begin with /"},
      {"deny /a/[bc", "never closed"},
      {"deny /a/{b,c", "never closed"},
      {"deny /a//b", "two slashes"},
      {"deny /a/../b", "component .."},
      {"deny /a/[.]/b", "component ."},
      {"deny /a/\\.[.]/b", "component .."},
      {"deny **/\\./b", "component ."},
      {"deny ~/x/..", "component .."},
      {"deny /a\\/\\/b", "two slashes"},
      {"deny /a[/]b", "no name holds a slash"},
      {"deny /a/{b,.}/c", "in \"/a/./c\" it holds the component ."},
      {"deny /a\\", "backslash"},
      {"deny", "is empty"},
      {"forbid /a", "deny, allow or watch"},
      {"deny colour=red /a", "unknown"},
      {"deny ops=peek /a", "unknown"},
      {"deny severity=high /a", "info, warning"},
      {"deny category=A! /a", "category"},
      {"deny target=  /a", "target= has no value"},
      {"deny ops= /a", "ops= has no value"},
      {"deny category= ops=read /a", "category= has no value"},
      {"deny ops=read ops=write /a", "ops= is given twice; give it once, with commas"},
      {"deny target=a category=x target=b /a", "target= is given twice"},
      {"deny /{}", "{} holds no alternatives"},
      {"deny ops=read,write,read /a", "the operation \"read\" is given twice"},
      {"deny /[z-a]", "backwards"},
      {"deny /{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", "256"}};
  for (const auto& [line, what] : bad) {
    INFO(line);
    CHECK(refusal("# comment\n\n" + line).find(what) != std::string::npos);
    CHECK(refusal("# comment\n\n" + line).rfind("3: ", 0) == 0);
  }
}

TEST_CASE("rules: what looks like an option behind the pattern's beginning is the pattern's") {
  const Set set = compiled("deny ops=read /a target= ops=read ops=write");
  CHECK(set->rules()[0].pattern == "/a target= ops=read ops=write");
}

TEST_CASE("rules: bytes that are not UTF-8 can stand in a file of the configuration alone, as the bus has none") {
  const std::string latin = "/srv/\xe9t\xe9";
  CHECK(refusal("/ok\n# " + latin + "\ndeny " + latin).rfind("3: the pattern \"/srv/", 0) == 0);
  CHECK(refusal("deny " + latin).find("paths.include") != std::string::npos);
  CHECK(refusal("deny target=\xff /ok").rfind("1: the target", 0) == 0);
  CHECK(refusal("deny " + latin + "\nfrbid /x").rfind("1: ", 0) == 0);
  CHECK(refusal("include /x\ndeny " + latin).rfind("1: ", 0) == 0);
  CHECK(refusal("/ok\n# " + latin).empty());
  const auto configured = read_rules("deny " + latin, RuleLayer::file);
  CHECK(configured.problems.empty());
  CHECK(configured.rules.size() == 1);
}

TEST_CASE("rules: those of one set that say the same are found however they are spelt") {
  const auto clash = [](const std::string& text) {
    RuleClashes clashes;
    std::string out;
    for (const RulesText::Line& one : read_rules(text, RuleLayer::file).rules)
      out += clashes.add(one.rule, static_cast<std::uint32_t>(one.line)).value_or("");
    return out;
  };
  CHECK(clash("/a\nallow /a/b\ndeny ops=read /a\ndeny target=x /a\n/a/\n/{b,c}\nwatch /{c,d}\nwatch /c") == "");
  CHECK(clash("/a\n/b\nallow /a") == "says allow, and line 1 says deny of the same; keep one");
  CHECK(clash("/a/[!yx]?\nwatch /a/[^xy]?").find("says watch, and line 1") != std::string::npos);
  CHECK(clash("/a/[ac-eb]\n/a/[a-e]") == "is that of line 1 again; keep one");
  CHECK(clash("/{a,b}\nallow /{[b],a}").find("says allow, and line 1") != std::string::npos);
  CHECK(clash("/\\*\nallow /*") == "");
  CHECK(clash("**/x\nallow /**/x") != "");
}

TEST_CASE("rules: of those for the same one decides, and it alone is kept") {
  const auto kept = [](const std::string& text) {
    std::string out;
    for (const PathRule& rule : without_clashes(std::get<std::vector<PathRule>>(parse_rules(text, RuleLayer::runtime))))
      out += rule_line(rule) + "\n";
    return out;
  };
  CHECK(kept("allow /a\n/b\nwatch /a\n/b\n") == "watch /a\ndeny /b\n");
  CHECK(kept("allow severity=critical /a\nwatch /a\ndeny severity=info /a\ndeny severity=critical /[a]\n/a\n") ==
        "deny severity=critical /[a]\n");
}

TEST_CASE("rules: lines come back as they were written") {
  const std::string line = "deny ops=write,unlink severity=critical category=ssh target=claude /srv/a file with spaces";
  const auto rules = rules_of(line + "\r\n");
  REQUIRE(rules.size() == 1);
  CHECK(rule_line(rules[0]) == line);
  CHECK(verdict(compiled(rules), "/srv/a file with spaces") == "none");
}

TEST_CASE("rules: ten thousand decide as ten do") {
  std::string text;
  for (int i = 0; i < 5000; ++i)
    text += "deny /srv/data/" + std::to_string(i) + "\ndeny /d" + std::to_string(i) + "/*.k\n";
  const Set set = compiled(text);
  CHECK(verdict(set, "/srv/data/4711") == "deny /srv/data/4711");
  CHECK(verdict(set, "/d99/x.k") == "deny /d99/*.k");
  CHECK(verdict(set, "/usr/lib/x86_64-linux-gnu/libc.so.6") == "none");
}

TEST_CASE("rules: more than can be in force are refused, not cut") {
  std::vector<PathRule> rules(100'001);
  for (PathRule& rule : rules) rule.pattern = "/x";
  const auto set = PathRules::compile(std::move(rules), {}, 1);
  REQUIRE(std::holds_alternative<Refusal>(set));
  CHECK(std::get<Refusal>(set).fault == Fault::limit_reached);
}

TEST_CASE("rules: each alternative counts as one of those that can be in force") {
  PathRule many;
  many.pattern = "/{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}";
  CHECK(check_room(std::vector<PathRule>(390, many)).empty());
  CHECK(check_room(std::vector<PathRule>(391, many)).ends_with("for each alternative in { } counts as one"));
}

TEST_CASE("rules: patterns that are too long in all are refused, with { } spelt out") {
  PathRule longs;
  longs.pattern = "/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}";
  for (int i = 0; i < 15; ++i) longs.pattern += "/" + std::string(250, 'x');
  CHECK(check_room(std::vector<PathRule>(34, longs)).empty());
  CHECK(check_room(std::vector<PathRule>(35, longs)).ends_with("are longer than the 32 MiB that can be in force"));
}

TEST_CASE("rules: a relative name denies by what holds wherever a path begins, and by nothing else") {
  const Set set = compiled("deny **/.env\ndeny **/.ssh/\ndeny /etc/shadow\ndeny /*/key\n");
  const auto asked = [&](std::string_view name, std::string_view path = "/home/ann/real.txt") {
    PathQuery query;
    query.path = path;
    query.relative = name;
    const Judgement judgement = set->judge(query);
    CHECK(judgement.asked_only == (judgement.verdict == Verdict::deny));
    return judgement.verdict;
  };
  for (const char* name : {".env", "./.env", "../x/.env", "sub//.env", ".ssh/id_rsa", "../.ssh"})
    CHECK(asked(name) == Verdict::deny);
  for (const char* name : {"etc/shadow", "x/key", "env", "real.txt", "..", ""}) CHECK(asked(name) == Verdict::none);
}

TEST_CASE("sensitive paths: every category guards an example, and a home as a whole is no secret") {
  struct Example {
    const char* path;
    FileOp op = FileOp::open;
  };
  const std::map<std::string, Example> examples = {
      {"ssh", {"/home/ann/.ssh/id_ed25519"}},
      {"gpg", {"/root/.gnupg/private-keys-v1.d/x.key"}},
      {"cloud", {"/home/ann/.aws/credentials"}},
      {"kubernetes", {"/home/ann/.kube/config"}},
      {"docker", {"/home/ann/.docker/config.json"}},
      {"package-registry", {"/home/ann/.npmrc"}},
      {"git-credentials", {"/home/ann/.git-credentials"}},
      {"browser", {"/home/ann/.config/google-chrome/Default/Login Data"}},
      {"keyring", {"/home/ann/.local/share/keyrings/login.keyring"}},
      {"wallet", {"/home/ann/.ethereum/keystore/UTC--x"}},
      {"env-file", {"/home/ann/project/.env"}},
      {"private-key", {"/srv/tls/server-key.pem"}},
      {"accounts", {"/etc/shadow"}},
      {"process-memory", {"/proc/4242/environ"}},
      {"service-token", {"/var/run/secrets/kubernetes.io/serviceaccount/token"}},
      {"agent-config", {"/home/ann/.claude/settings.json", FileOp::write}},
      {"shell-startup", {"/home/ann/.bashrc", FileOp::write}},
      {"persistence", {"/etc/cron.d/x", FileOp::create}},
      {"observer", {"/etc/aa-ebpfd/config.toml", FileOp::unlink}},
  };
  const Set set = compiled(sensitive_paths());
  for (const PathRule& rule : set->rules()) {
    INFO(rule.pattern);
    CHECK(examples.count(rule.category) == 1);
    CHECK(rule.layer == RuleLayer::file);
  }
  for (const auto& [category, example] : examples) {
    INFO(category);
    PathQuery query;
    query.path = example.path;
    query.op = example.op;
    const Judgement judgement = set->judge(query);
    REQUIRE(judgement.verdict == Verdict::deny);
    CHECK(judgement.rule->category == category);
  }
  for (const char* own : {"/etc/aa-ebpfd/config.toml", "/var/log/aa-ebpfd/events.jsonl", "/run/aa-ebpfd/state.json",
                          "/usr/sbin/aa-ebpfd", "/usr/bin/aactl"})
    CHECK(verdict(set, own, FileOp::write).rfind("deny", 0) == 0);
  for (const char* harmless :
       {"/home/ann", "/home/ann/project/main.c", "/etc/passwd", "/home/ann/.bashrc", "/usr/bin/env"})
    CHECK(verdict(set, harmless) == "none");
  CHECK(verdict(set, "/home/ann/.ssh/known_hosts").rfind("allow", 0) == 0);
  CHECK(verdict(set, "/home/ann/.ssh/known_hosts", FileOp::write).rfind("deny", 0) == 0);
  for (const char* hook : {"pre-commit", "update", "post-merge", "post-rewrite", "pre-push"})
    CHECK(verdict(set, "/src/.git/hooks/" + std::string(hook), FileOp::create).rfind("deny", 0) == 0);
  CHECK(verdict(set, "/src/.git/hooks/update.sample", FileOp::create) == "none");
}
