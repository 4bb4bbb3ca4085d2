#include "state/path_rules.h"

#include <algorithm>
#include <array>
#include <climits>
#include <iterator>

#include "base/text.h"
#include "state/plan.h"

namespace aa {
namespace {

constexpr std::size_t kMostAlternatives = 256;
constexpr std::size_t kLongestPattern = 4096;
constexpr std::size_t kLongestCategory = 64;

std::string shown(std::string_view pattern) {
  constexpr std::size_t kShown = 200;
  return "\"" + to_utf8(pattern.substr(0, kShown)) + (pattern.size() > kShown ? "…\"" : "\"");
}

bool is_category(std::string_view text) {
  return text.size() <= kLongestCategory && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

// "" when every component is one a resolved path can have.
std::string check_components(const Glob& glob) {
  const auto components = glob.components();
  for (std::size_t at = 1; at < components.size(); ++at) {
    const auto& [text, least] = components[at];
    if (least > NAME_MAX)
      return "it holds a component of " + std::to_string(least) + " bytes, and no file's name has more than " +
             std::to_string(NAME_MAX);
    if (!text) continue;
    if (text->empty() && at + 1 < components.size()) return "it has two slashes in a row";
    if (*text == "." || *text == "..") return "it holds the component " + *text + ", which no resolved path has";
  }
  return {};
}

std::string check_text(std::string_view pattern) {
  if (pattern.empty()) return "it is empty";
  if (pattern.size() > kLongestPattern) return "it is longer than " + std::to_string(kLongestPattern) + " bytes";
  if (pattern.find('\0') != std::string_view::npos) return "it holds a NUL byte";
  return {};
}

// "" when a path can match this, which has no alternatives.
std::string check_spelt_out(std::string_view pattern) {
  if (std::string wrong = check_text(pattern); !wrong.empty()) return wrong;
  const bool anchored = pattern.front() == '/' || pattern.substr(0, 2) == "~/" || pattern.substr(0, 3) == "**/";
  if (!anchored) return "it must begin with /, ~/ or **/";
  const auto glob = Glob::parse(pattern);
  if (const auto* wrong = std::get_if<std::string>(&glob)) return *wrong;
  return check_components(std::get<Glob>(glob));
}

std::string check_pattern(const std::string& pattern) {
  if (std::string wrong = check_text(pattern); !wrong.empty()) return wrong;
  const auto alternatives = expand_alternatives(pattern, kMostAlternatives);
  if (const auto* wrong = std::get_if<std::string>(&alternatives)) return *wrong;
  for (const std::string& one : std::get<std::vector<std::string>>(alternatives))
    if (std::string wrong = check_spelt_out(one); !wrong.empty())
      return one == pattern ? wrong : "in " + shown(one) + " " + wrong;
  return {};
}

// Whether nothing is left of the deny, of any operation or target, where the allow counts.
bool lifts_whole(const PathRule& allow, const PathRule& deny) {
  return (deny.ops & ~allow.ops) == 0 && (allow.target.empty() || allow.target == deny.target);
}

// By its text alone "/vault/../x" lies below /vault.
bool climbs(std::string_view path) {
  return path.ends_with("/..") || path.find("/../") != std::string_view::npos;
}

}  // namespace

std::string_view name_of(RuleLayer layer) {
  constexpr std::array<std::string_view, kRuleLayers> kNames = {"file", "runtime", "imported"};
  return kNames[static_cast<std::size_t>(layer)];
}

std::optional<std::string> check_rule(const PathRule& rule) {
  if (std::string wrong = check_pattern(rule.pattern); !wrong.empty())
    return "the pattern " + shown(rule.pattern) + " cannot be used: " + wrong;
  if (rule.verdict == Verdict::none) return "the verdict of " + shown(rule.pattern) + " must be deny, allow or watch";
  if (rule.ops == 0) return "the rule " + shown(rule.pattern) + " names no operation; leave ops out for all";
  if (!is_category(rule.category))
    return "the category of " + shown(rule.pattern) + " must be at most 64 of a-z, 0-9 and -";
  return std::nullopt;
}

std::string check_room(const std::vector<PathRule>& rules) {
  std::size_t patterns = 0, bytes = 0;
  for (const PathRule& rule : rules) {
    if (rule.layer == RuleLayer::imported) continue;
    const std::vector<std::string> alternatives = alternatives_of(rule);
    patterns += alternatives.size();
    for (const std::string& one : alternatives) bytes += one.size();
    if (patterns > kMostPathRules || bytes > kMostPatternBytes) break;
  }
  if (bytes > kMostPatternBytes)
    return "the patterns of " + std::to_string(rules.size()) +
           " path rules, each alternative in { } spelt out, are longer than the " +
           std::to_string(kMostPatternBytes >> 20) + " MiB that can be in force";
  if (patterns <= kMostPathRules) return {};
  return std::to_string(rules.size()) + " path rules are more than the " + std::to_string(kMostPathRules) +
         " that can be in force" + (rules.size() > kMostPathRules ? "" : ", for each alternative in { } counts as one");
}

std::vector<std::string> alternatives_of(const PathRule& rule) {
  auto alternatives = expand_alternatives(rule.pattern, kMostAlternatives);
  if (auto* known = std::get_if<std::vector<std::string>>(&alternatives)) return std::move(*known);
  return {rule.pattern};
}

std::string lexically_normal(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    begin = end + 1;
  }
  std::string out;
  for (const std::string_view part : parts) out.append("/").append(part);
  return out.empty() ? "/" : out;
}

// ---- compiling
// -------------------------------------------------------------------------------------------------------

std::variant<std::shared_ptr<const PathRules>, Refusal> PathRules::compile(std::vector<PathRule> rules,
                                                                           const std::vector<std::string>& homes,
                                                                           std::uint64_t generation) {
  if (std::string wrong = check_room(rules); !wrong.empty()) return Refusal{Fault::limit_reached, std::move(wrong)};
  auto set = std::make_shared<PathRules>();
  set->generation_ = generation;
  set->rules_ = std::move(rules);
  std::stable_sort(set->rules_.begin(), set->rules_.end(),
                   [](const PathRule& a, const PathRule& b) { return a.layer < b.layer; });
  for (std::uint32_t index = 0; index < set->rules_.size(); ++index) {
    if (std::optional<std::string> wrong = check_rule(set->rules_[index]))
      return Refusal{Fault::invalid_pattern, *wrong};
    if (std::string wrong = set->add_rule(index, homes); !wrong.empty())
      return Refusal{Fault::invalid_pattern, std::move(wrong)};
  }
  return std::shared_ptr<const PathRules>(std::move(set));
}

std::string PathRules::add_rule(std::uint32_t index, const std::vector<std::string>& homes) {
  for (const std::string& one : alternatives_of(rules_[index])) {
    if (one.front() == '~') {
      for (const std::string& home : homes) {
        std::string escaped;  // a home is a path, not a pattern
        for (const char c : home) {
          if (c == '*' || c == '?' || c == '[' || c == '\\') escaped.push_back('\\');
          escaped.push_back(c);
        }
        if (std::string wrong = add_pattern(index, escaped + one.substr(1)); !wrong.empty()) return wrong;
      }
    } else if (std::string wrong = add_pattern(index, one.front() == '*' ? "/" + one : one); !wrong.empty()) {
      return wrong;
    }
  }
  return {};
}

std::string PathRules::add_pattern(std::uint32_t rule, const std::string& pattern) {
  const bool folder = pattern.size() > 1 && pattern.back() == '/';
  auto parsed = Glob::parse(folder ? std::string_view(pattern).substr(0, pattern.size() - 1) : pattern);
  if (const auto* wrong = std::get_if<std::string>(&parsed)) return *wrong;
  Glob glob = std::get<Glob>(std::move(parsed));
  if (glob.is_literal()) {
    const std::string& path = glob.literal();
    const bool everything = path == "/" && pattern == "/";
    const auto length = static_cast<std::uint32_t>(path.size());
    matchers_.push_back({rule, length + (folder ? 1 : 0), length, 0,
                         folder || everything ? Matcher::Kind::directory : Matcher::Kind::exact, std::nullopt});
    add_object(path, static_cast<std::uint32_t>(matchers_.size() - 1));
    return {};
  }
  add_glob(rule, std::move(glob), pattern);
  if (folder) add_glob(rule, std::get<Glob>(Glob::parse(pattern + "**")), pattern + "**");
  return {};
}

void PathRules::add_glob(std::uint32_t rule, Glob glob, const std::string& text) {
  const auto index = static_cast<std::uint32_t>(matchers_.size());
  const std::string name = glob.last_component();
  const std::string prefix = glob.literal();
  const std::string folder = prefix.substr(0, std::min(prefix.rfind('/'), prefix.size()));
  matchers_.push_back({rule, static_cast<std::uint32_t>(prefix.size()), static_cast<std::uint32_t>(folder.size()), 0,
                       Matcher::Kind::glob, std::move(glob)});
  add_object(text, index);
  if (text.starts_with("/**/")) anywhere_.push_back(index);
  if (!name.empty()) {
    globs_by_name_[name].push_back(index);
  } else {
    globs_by_folder_[folder].push_back(index);
  }
}

void PathRules::add_object(const std::string& path, std::uint32_t matcher) {
  using Kind = Object::Kind;
  Matcher& one = matchers_[matcher];
  const Kind kind = one.kind == Matcher::Kind::exact       ? Kind::file
                    : one.kind == Matcher::Kind::directory ? Kind::directory
                                                           : Kind::glob;
  std::vector<std::uint32_t> unnamed;
  std::vector<std::uint32_t>& known = kind == Kind::glob   ? unnamed
                                      : kind == Kind::file ? exact_[path]
                                                           : directories_[path == "/" ? "" : path];
  if (known.empty()) {
    objects_.push_back({static_cast<std::uint32_t>(objects_.size() + 1), path, kind});
    by_object_.emplace_back();
    known.push_back(objects_.back().id);
  }
  one.object = known.front();
  objects_[one.object - 1].denies |= rules_[one.rule].verdict == Verdict::deny;
  objects_[one.object - 1].watches |= rules_[one.rule].verdict == Verdict::watch;
  by_object_[one.object - 1].push_back(matcher);
}

// ---- judging
// ---------------------------------------------------------------------------------------------------------

// An allow counts only by the path the kernel resolved: a string, or an alias of an object, may be the watched
// program's own making, and must never uncover anything.
class PathRules::Matched {
 public:
  enum class By : std::uint8_t { object, requested, inner, path };

  explicit Matched(const PathRules& set) : set_(set) {}
  void now_by(By what) { by_ = what; }
  void add(std::uint32_t matcher) {
    if (by_ != By::path && set_.rules_[set_.matchers_[matcher].rule].verdict == Verdict::allow) return;
    const auto known = std::ranges::find(list_, matcher, &Found::matcher);
    Found& found = known == list_.end() ? list_.emplace_back(Found{matcher}) : *known;
    found.by_name = found.by_name || by_ == By::requested || by_ == By::path;
    found.resolved = found.resolved || by_ != By::requested;
    found.by_own = found.by_own || by_ == By::object || by_ == By::inner;
  }
  void keep_those_of(const PathQuery& query) {
    std::erase_if(
        list_, [&](const Found& one) { return !set_.applies(set_.rules_[set_.matchers_[one.matcher].rule], query); });
  }
  const std::vector<Found>& list() const { return list_; }

  // Whoever is watched writes what is imported, and the paths too: together they may cost this much, and no more.
  bool matches(const Matcher& glob, std::string_view path) {
    if (set_.rules_[glob.rule].layer != RuleLayer::imported) return glob.glob->matches(path);
    return glob.glob->matches(path, effort_);
  }
  bool unfinished() const { return effort_ == 0; }

 private:
  const PathRules& set_;
  std::size_t effort_ = 200'000;  // steps: less than a millisecond
  By by_ = By::object;
  std::vector<Found> list_;
};

// Globs are the dear part: those of other targets are not even tried.
void PathRules::match_globs(const std::vector<std::uint32_t>& globs, std::string_view path, const PathQuery& query,
                            Matched& matched) const {
  for (const std::uint32_t matcher : globs)
    if (applies(rules_[matchers_[matcher].rule], query) && matched.matches(matchers_[matcher], path))
      matched.add(matcher);
}

void PathRules::match_text(std::string_view path, const PathQuery& query, Matched& matched) const {
  if (path.empty() || path.front() != '/') return;
  const auto objects = [&](const std::vector<std::uint32_t>& ids) {
    for (const std::uint32_t id : ids)
      for (const std::uint32_t matcher : by_object_[id - 1]) matched.add(matcher);
  };
  const auto globs = [&](const std::vector<std::uint32_t>& some) { match_globs(some, path, query, matched); };
  if (const auto found = exact_.find(std::string(path)); found != exact_.end()) objects(found->second);
  const auto named = globs_by_name_.find(std::string(last_component(path)));
  if (named != globs_by_name_.end()) globs(named->second);
  globs_by_folder_.each_above(path, globs);
  directories_.each_above(path, objects);
  directories_.exactly(path == "/" ? "" : path, objects);
}

// By what holds for any path that ends so. Where it is what the path shows already, nothing is new.
void PathRules::match_end(const std::string& end, const PathQuery& query, Matched& matched) const {
  if (anywhere_.empty() || query.path.ends_with(end)) return;
  const auto globs = [&](const std::vector<std::uint32_t>& found) {
    std::vector<std::uint32_t> some;
    std::ranges::set_intersection(found, anywhere_, std::back_inserter(some));
    match_globs(some, end, query, matched);
  };
  if (const auto named = globs_by_name_.find(std::string(last_component(end))); named != globs_by_name_.end())
    globs(named->second);
  globs_by_folder_.exactly("", globs);
}

bool PathRules::applies(const PathRule& rule, const PathQuery& query) const {
  if (query.any_op) return true;
  if ((rule.ops & (op_bit(query.op) | query.also)) == 0) return false;
  return rule.target.empty() || std::ranges::any_of(query.targets, [&](const PathQuery::Whose& one) {
           return rule.target == one.id || rule.target == one.name;
         });
}

bool PathRules::outranks(const Matcher& allow, const Matcher& deny) const {
  if (rules_[allow.rule].layer == RuleLayer::runtime && rules_[deny.rule].layer != RuleLayer::runtime) return false;
  if (allow.kind == Matcher::Kind::exact) return deny.kind != Matcher::Kind::exact;
  return allow.kind == deny.kind && allow.prefix > deny.prefix;
}

// A path can be made to read as an allow has it by mounting something on it. What was met of a denied folder, and the
// path does not show, is such a thing; and so is the denied folder that a bound part is or lies in, unless the allow is
// for something inside of that part, or for the very object that was met there.
bool PathRules::beats(const Matcher& allow, const Found& found, const PathQuery& query) const {
  const Matcher& deny = matchers_[found.matcher];
  if (!outranks(allow, deny) || !found.by_name) return false;
  if (query.any_op && !lifts_whole(rules_[allow.rule], rules_[deny.rule])) return false;
  const auto among = [](std::span<const std::uint32_t> objects, std::uint32_t object) {
    return std::ranges::find(objects, object) != objects.end();
  };
  const bool lies_in = among(query.elsewhere, deny.object) || among(query.within, deny.object);
  const bool hidden = query.bound && (deny.kind == Matcher::Kind::glob || lies_in);
  return !hidden || allow.reach > query.mount_point || among(query.within, allow.object);
}

// Whether what was mounted below the place that a rule names is all that it matches by.
bool PathRules::is_by_mount(const Found& found, const PathQuery& query) const {
  const Matcher& matcher = matchers_[found.matcher];
  if (found.by_own || query.mount_point == 0) return false;
  const bool itself = query.mount_point == query.path.size();
  const bool below = matcher.kind != Matcher::Kind::glob && matcher.reach <= query.mount_point;
  return query.bound || itself || below;
}

// The most severe deny that no allow beats; without one, the most literal of the others, watch before allow. Of several
// that are alike, the first.
Judgement PathRules::decide(const Matched& matched, const PathQuery& query) const {
  const auto severity = [this](const Matcher& m) { return rules_[m.rule].severity.value_or(Severity::warning); };
  const Matcher* deny = nullptr;
  const Matcher* other = nullptr;
  bool asked_only = false, by_mount = false;
  const auto more_literal = [](const Matcher& one, const Matcher& than) {
    return one.prefix > than.prefix || (one.prefix == than.prefix && one.rule < than.rule);
  };
  for (const Found& found : matched.list()) {
    const Matcher& one = matchers_[found.matcher];
    const Verdict verdict = rules_[one.rule].verdict;
    if (verdict != Verdict::deny) {
      const bool same = other != nullptr && one.prefix == other->prefix && verdict != rules_[other->rule].verdict;
      if (other == nullptr || (same ? verdict == Verdict::watch : more_literal(one, *other))) other = &one;
      continue;
    }
    const bool beaten = std::ranges::any_of(matched.list(), [&](const Found& allow) {
      const Matcher& matcher = matchers_[allow.matcher];
      return rules_[matcher.rule].verdict == Verdict::allow && beats(matcher, found, query);
    });
    if (beaten) continue;
    const bool stronger = deny == nullptr || severity(one) > severity(*deny) ||
                          (severity(one) == severity(*deny) && more_literal(one, *deny));
    if (!stronger) continue;
    deny = &one;
    asked_only = !found.resolved;
    by_mount = is_by_mount(found, query);
  }
  if (deny != nullptr) return {Verdict::deny, &rules_[deny->rule], false, deny->object, asked_only, by_mount};
  if (other != nullptr) return {rules_[other->rule].verdict, &rules_[other->rule], false, other->object};
  return {};
}

Judgement PathRules::judge(const PathQuery& query) const {
  using By = Matched::By;
  Matched matched(*this);
  for (const std::uint32_t id : query.objects) {
    if (id == 0 || id > by_object_.size()) continue;
    for (const std::uint32_t matcher : by_object_[id - 1]) matched.add(matcher);
  }
  matched.now_by(By::requested);
  if (!query.requested.empty()) {
    const std::string normal = lexically_normal(query.requested);
    match_text(normal, query, matched);
    if (normal != query.requested && !climbs(query.requested)) match_text(query.requested, query, matched);
  }
  if (!query.relative.empty()) match_end(lexically_normal(query.relative), query, matched);
  matched.now_by(By::inner);
  match_text(query.inner, query, matched);
  if (!query.tail.empty()) match_globs(anywhere_, query.tail, query, matched);  // they hold for any path that ends so
  matched.now_by(By::path);
  match_text(query.path, query, matched);
  matched.keep_those_of(query);
  Judgement judgement = decide(matched, query);
  judgement.unfinished = matched.unfinished();
  return judgement;
}

}  // namespace aa
