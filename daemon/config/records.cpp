#include "config/records.h"

#include <pwd.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "base/file_text.h"
#include "config/import.h"
#include "config/keys.h"
#include "config/patient_read.h"
#include "state/discovery.h"
#include "state/rules_text.h"
#include "state/targets.h"

namespace aa {
namespace {

using Wrong = std::optional<std::string>;
using By = TargetWish::By;

const std::string& text_of(const Value& value) {
  return std::get<std::string>(value.held);
}

std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 64;
  return toml_text(std::string(text.substr(0, kShown)));
}

// ---- [[paths.rules]]
// -----------------------------------------------------------------------------------------------

Wrong set_pattern(const Value& value, Draft& draft) {
  draft.rule.pattern = text_of(value);
  PathRule alone;
  alone.pattern = draft.rule.pattern;
  return check_rule(alone);
}

Wrong set_verdict(const Value& value, Draft& draft) {
  const auto verdict = parse_verdict(text_of(value));
  if (!verdict) return "must be deny, allow or watch; " + shown(text_of(value)) + " is not";
  draft.rule.verdict = *verdict;
  return std::nullopt;
}

Wrong set_ops(const Value& value, Draft& draft) {
  std::vector<std::string> names;
  for (const Value& one : std::get<Value::List>(value.held)) names.push_back(text_of(one));
  const auto ops = parse_ops(names);
  if (const auto* wrong = std::get_if<std::string>(&ops)) return *wrong;
  draft.rule.ops = std::get<OpSet>(ops);
  if (draft.rule.ops == 0) return "names no operation; leave it out for all";
  return std::nullopt;
}

Wrong set_severity(const Value& value, Draft& draft) {
  draft.rule.severity = parse_severity(text_of(value));
  if (!draft.rule.severity) return "must be info, warning or critical; " + shown(text_of(value)) + " is not";
  return std::nullopt;
}

Wrong set_category(const Value& value, Draft& draft) {
  draft.rule.category = text_of(value);
  PathRule alone;
  alone.pattern = "/";
  alone.category = draft.rule.category;
  if (!check_rule(alone)) return std::nullopt;
  return "must be at most 64 of a-z, 0-9 and -; " + shown(draft.rule.category) + " is not";
}

Wrong set_target(const Value& value, Draft& draft) {
  draft.rule.target = text_of(value);
  if (draft.rule.target.find('\0') == std::string::npos) return std::nullopt;
  return "must be a target's id or name; " + shown(draft.rule.target) + " is neither";
}

Wrong wrong_op(const std::string& name) {
  const auto ops = parse_ops({name});
  const auto* wrong = std::get_if<std::string>(&ops);
  return wrong == nullptr ? std::nullopt : Wrong(*wrong);
}

constexpr std::array kRuleFields = {
    Field{"pattern", Field::Type::text, "a path, a folder with / at its end, or a glob; from /, ~/ or **/",
          "Which paths are meant.", &set_pattern},
    Field{"verdict", Field::Type::text, "\"deny\", \"allow\", \"watch\"", "What they are worth; deny when left out.",
          &set_verdict},
    Field{"ops", Field::Type::list, "a list of file operations", "Which operations; all when left out.", &set_ops,
          &wrong_op},
    Field{"severity", Field::Type::text, "\"info\", \"warning\", \"critical\"", "Of the alert; warning when left out.",
          &set_severity},
    Field{"category", Field::Type::text, "at most 64 of a-z, 0-9 and -", "What kind of secret it is.", &set_category},
    Field{"target", Field::Type::text, "an id or a name", "For whom it holds; all when left out.", &set_target},
};

Wrong store_rule(Draft draft, Config& config) {
  if (draft.rule.pattern.empty()) return "needs a pattern";
  draft.rule.layer = RuleLayer::file;
  config.paths.own.push_back(std::move(draft.rule));
  return std::nullopt;
}

// ---- [[detect.table]]
// ------------------------------------------------------------------------------------------------

Wrong set_row(const Value& value, Draft& draft) {
  constexpr std::size_t kLongest = 4096;
  draft.row.row = text_of(value);
  const bool one_line = draft.row.row.find_first_of(std::string_view("\n\r\0", 3)) == std::string::npos;
  if (one_line && draft.row.row.size() <= kLongest) return std::nullopt;
  return "must be one line of at most " + std::to_string(kLongest) + " bytes";
}

constexpr std::array kRowFields = {
    Field{"row", Field::Type::text, "one line: family, runner, wrapper or rule",
          "What it says, as docs/detection.md explains.", &set_row},
};

// As its words alone have it.
std::string squeezed(std::string_view row) {
  std::string out;
  for (const char character : row)
    if (character != ' ' || (!out.empty() && out.back() != ' ')) out += character;
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

Wrong store_row(Draft draft, Config& config) {
  constexpr std::size_t kMost = 1'000;
  if (draft.row.row.find_first_not_of(' ') == std::string::npos) return "needs a row";
  if (config.detect.own.size() == kMost) return "is one more than the " + std::to_string(kMost) + " there may be";
  const std::string said = squeezed(draft.row.row);
  for (std::size_t at = 0; at < config.detect.own.size(); ++at)
    if (squeezed(config.detect.own[at].row) == said)
      return "says the same as the row at " + config.origin["detect.table[" + std::to_string(at) + "]"] + "; keep one";
  config.detect.own.push_back(std::move(draft.row));
  return std::nullopt;
}

// ---- [[targets]]
// ---------------------------------------------------------------------------------------------------

void select(Draft& draft, By by, std::string what) {
  ++draft.selectors;
  draft.target.by = by;
  draft.target.what = std::move(what);
}

// What /proc says of whoever has an id that no process can be watched by; nothing where it says nothing.
Wrong wrong_process(const std::string& pid) {
  const std::string status = "\n" + file_text("/proc/" + pid + "/status");
  const auto field = [&](std::string_view name) {
    const std::size_t at = status.find("\n" + std::string(name) + ":\t");
    const std::size_t begin = at == std::string::npos ? at : at + name.size() + 3;
    return begin == std::string::npos ? "" : status.substr(begin, status.find('\n', begin) - begin);
  };
  const std::string process = field("Tgid"), state = field("State");
  if (process.empty()) return std::nullopt;
  if (process != pid) return "is " + pid + ", a thread of the process " + process + "; give the process";
  if (state.starts_with('Z') || state.starts_with('X')) return "is " + pid + ", and that process has ended";
  if (field("VmSize").empty()) return "is " + pid + ", a thread of the kernel's own, which does nothing of its own";
  return std::nullopt;
}

Wrong set_pid(const Value& value, Draft& draft) {
  const std::int64_t pid = std::get<std::int64_t>(value.held);
  select(draft, By::pid, std::to_string(pid));
  if (pid < 1 || pid > std::numeric_limits<std::int32_t>::max())
    return "must be the id of a process; " + std::to_string(pid) + " is not";
  draft.target.number = static_cast<std::uint32_t>(pid);
  if (::kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH) return wrong_process(draft.target.what);
  return "is " + std::to_string(pid) + ", and no process has that id now; exe or unit find processes that come later";
}

// Where a path leads: /bin/bash is run as /usr/bin/bash as well. "" where that is the path itself, or nowhere.
std::string end_of_links(const std::string& path) {
  if (path.front() != '/') return {};
  const Result<std::string> end = PatientRead().end_of_links(path);
  return !end || *end == path ? std::string() : *end;
}

Wrong set_exe(const Value& value, Draft& draft) {
  select(draft, By::exe, text_of(value));
  const auto parsed = parse_agents(text_of(value));
  if (const auto* wrong = std::get_if<std::string>(&parsed)) return *wrong;
  const auto& names = std::get<std::vector<std::string>>(parsed);
  if (names.size() != 1) return "must be one name or path; give each a [[targets]] of its own";
  draft.target.what = names.front();  // without the spaces around it
  draft.target.leads_to = end_of_links(names.front());
  return std::nullopt;
}

Wrong set_unit(const Value& value, Draft& draft) {
  select(draft, By::unit, text_of(value));
  const bool good =
      !text_of(value).empty() && text_of(value).find_first_of(std::string_view("/\0", 2)) == std::string::npos;
  if (!good) return "must be a systemd unit's name; " + shown(text_of(value)) + " is not";
  if (draft.target.what.find('.') == std::string::npos) draft.target.what += ".service";
  return std::nullopt;
}

Wrong set_cgroup(const Value& value, Draft& draft) {
  select(draft, By::cgroup, text_of(value));
  const std::string& path = text_of(value);
  const bool good = path.size() > 1 && path.front() == '/' && lexically_normal(path) == path;
  if (good && path.find('\0') == std::string::npos) return std::nullopt;
  return "must be a control group's path below the root, as /proc/PID/cgroup has it; " + shown(path) + " is not";
}

Wrong set_user(const Value& value, Draft& draft) {
  const std::string& name = text_of(value);
  select(draft, By::user, name);
  const passwd* user = name.find('\0') == std::string::npos ? ::getpwnam(name.c_str()) : nullptr;
  if (user != nullptr) {
    draft.target.number = user->pw_uid;
    return std::nullopt;
  }
  return "must be the name of a user; nobody is called " + shown(name);
}

Wrong set_name(const Value& value, Draft& draft) {
  draft.target.name = text_of(value);
  if (const auto refusal = check_target_name(draft.target.name)) return "is not usable: " + refusal->sentence;
  return std::nullopt;
}

Wrong set_tls(const Value& value, Draft& draft) {
  const auto level = parse_tls_level(text_of(value));
  if (!level) return "must be off, metadata, redacted or full; " + shown(text_of(value)) + " is not";
  draft.target.tls = *level;
  return std::nullopt;
}

Wrong wrong_import(const std::string& text) {
  const auto parsed = parse_import(text);
  const auto* wrong = std::get_if<std::string>(&parsed);
  return wrong == nullptr ? std::nullopt : Wrong("has " + shown(text) + ", which " + *wrong);
}

Wrong set_import(const Value& value, Draft& draft) {
  for (const Value& one : std::get<Value::List>(value.held)) {
    std::vector<std::string>& known = draft.target.imports;
    if (known.size() == kMostImports) return "has more than the " + std::to_string(kMostImports) + " there may be";
    known.push_back(text_of(one));
  }
  return std::nullopt;
}

constexpr std::array kTargetFields = {
    Field{"exe", Field::Type::text, "a name, an absolute path, or one with patterns in its folders",
          "Every process that runs this program or script.", &set_exe},
    Field{"unit", Field::Type::text, "the name of a systemd unit",
          "Every process of it, also when it is started again.", &set_unit},
    Field{"cgroup", Field::Type::text, "a path below the root of control groups", "Every process in it.", &set_cgroup},
    Field{"user", Field::Type::text, "a user's name", "Every process of that user.", &set_user},
    Field{"pid", Field::Type::integer, "the id of a living process", "That process alone.", &set_pid},
    Field{"name", Field::Type::text, "1 to 128 characters, not all digits", "What the target is called.", &set_name},
    Field{"tls", Field::Type::text, "\"off\", \"metadata\", \"redacted\", \"full\"",
          "How much of TLS traffic is recorded; redacted when left out.", &set_tls},
    Field{"import", Field::Type::list,
          "a list of claude:FILE, codex:FILE, .gitignore, .aiderignore, .cursorignore; these may name another :FILE",
          "Promises of the agent itself: what these files deny it at its start becomes path rules for it alone.",
          &set_import, &wrong_import},
};

Wrong store_target(Draft draft, Config& config) {
  if (draft.selectors != 1)
    return draft.selectors == 0 ? "says nobody: give one of exe, unit, cgroup, user and pid"
                                : "says more than one of exe, unit, cgroup, user and pid; keep one";
  if (!draft.target.imports.empty() && (draft.target.by == By::unit || draft.target.by == By::cgroup))
    return "has import, which is for a process's own files: give exe, user or pid instead of " +
           std::string(name_of(draft.target.by));
  const auto end_of = [](const TargetWish& wish) { return wish.leads_to.empty() ? wish.what : wish.leads_to; };
  const auto same = [&](const TargetWish& other) {
    return other.by == draft.target.by && end_of(other) == end_of(draft.target);
  };
  const auto first = std::find_if(config.targets.begin(), config.targets.end(), same);
  if (first != config.targets.end()) {
    const std::string known = "targets[" + std::to_string(first - config.targets.begin()) + "]";
    return "means the same as the target at " + config.origin[known] + "; keep one";
  }
  config.targets.push_back(std::move(draft.target));
  return std::nullopt;
}

constexpr std::array kRecords = {
    Record{"paths.rules", "A path rule.", kRuleFields, &store_rule},
    Record{"detect.table", "A row of the detector's table, beside those it has.", kRowFields, &store_row},
    Record{"targets", "Whom to watch, running now or started later.", kTargetFields, &store_target},
};

}  // namespace

std::span<const Record> all_records() {
  return kRecords;
}

std::string toml_text(const PathRule& rule) {
  std::string out =
      "pattern = " + toml_text(KeyValue(rule.pattern)) + "\nverdict = \"" + std::string(name_of(rule.verdict)) + "\"\n";
  if (rule.ops != kAllOps) out += "ops = " + toml_text(KeyValue(op_names(rule.ops))) + "\n";
  if (rule.severity) out += "severity = \"" + std::string(name_of(*rule.severity)) + "\"\n";
  if (!rule.category.empty()) out += "category = \"" + rule.category + "\"\n";
  if (!rule.target.empty()) out += "target = " + toml_text(KeyValue(rule.target)) + "\n";
  return out;
}

std::string toml_text(const DetectRow& row) {
  return "row = " + toml_text(KeyValue(row.row)) + "\n";
}

std::string toml_text(const TargetWish& target) {
  const std::string what = target.by == By::pid ? target.what : toml_text(KeyValue(target.what));
  std::string out = std::string(name_of(target.by)) + " = " + what + "\n";
  if (!target.name.empty()) out += "name = " + toml_text(KeyValue(target.name)) + "\n";
  if (target.tls != TlsLevel::redacted) out += "tls = \"" + std::string(name_of(target.tls)) + "\"\n";
  if (!target.imports.empty()) out += "import = " + toml_text(KeyValue(target.imports)) + "\n";
  return out;
}

}  // namespace aa
