#include "control/manager_service.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>
#include <variant>

#include "base/text.h"
#include "control/convert.h"
#include "control/options.h"
#include "control/pidfd.h"
#include "control/refuse.h"
#include "state/detect.h"
#include "state/explain.h"
#include "state/rules_text.h"

namespace aa {

namespace {

// The types an event line can have in this version.
constexpr std::array<std::string_view, 10> kEventTypes = {"fork",  "exec", "exit", "file",   "tls",
                                                          "alert", "loss", "gap",  "target", "probe"};

// Never repeats in the daemon's life: an answer meant for a Control that has been replaced must find nobody.
Token next_token() {
  static Token last = 0;
  return ++last;
}

[[noreturn]] void refuse_value(const std::string& sentence) {
  throw Refused(Fault::invalid_argument, sentence);
}

std::string read_name(const Options& options) {
  const auto name = options.text("name");
  if (!name) return {};
  if (auto refusal = check_target_name(*name)) throw Refused(std::move(*refusal));
  return *name;
}

TlsLevel read_tls(const Options& options) {
  const auto text = options.text("tls");
  if (!text) return TlsLevel::redacted;
  const auto level = parse_tls_level(*text);
  if (!level) refuse_value("the option 'tls' must be one of off, metadata, redacted, full");
  return *level;
}

StartMonitoring make_start(const Caller& caller, std::uint32_t pid, const Dict& dict, std::uint32_t self_pid) {
  if (pid == 0) refuse_value("pid 0 is no process; give the pid of a running process");
  if (pid == self_pid) refuse_value("pid " + std::to_string(pid) + " is this daemon, which does not watch itself");
  const Options options(dict, "option", {"name", "tls"});
  StartMonitoring command;
  command.pid = pid;
  command.name = read_name(options);
  command.tls = read_tls(options);
  command.owner_uid = caller.uid;
  command.source = TargetSource::dbus;
  return command;
}

std::vector<std::string> read_types(const Options& options) {
  auto types = options.texts("types").value_or(std::vector<std::string>{});
  for (const auto& type : types) {
    if (std::ranges::find(kEventTypes, std::string_view(type)) != kEventTypes.end()) continue;
    std::string known;
    for (const auto name : kEventTypes) known += (known.empty() ? "" : ", ") + std::string(name);
    refuse_value("unknown event type '" + type.substr(0, 64) + "' in 'types'; this version has: " + known);
  }
  return types;
}

std::optional<Severity> read_severity(const Options& options) {
  const auto text = options.text("min_severity");
  if (!text) return std::nullopt;
  const auto severity = parse_severity(*text);
  if (!severity) refuse_value("the filter key 'min_severity' must be one of info, warning, critical");
  return severity;
}

// One rule of SetPathRules; what is wrong names its place.
PathRule read_rule(const NewRuleRow& row, std::size_t number) {
  PathRule rule;
  rule.pattern = std::get<0>(row);
  const std::string where = "rule " + std::to_string(number) + ": ";
  const auto verdict = parse_verdict(std::get<1>(row));
  if (!verdict)
    throw Refused(Fault::invalid_pattern, where + "the verdict of \"" + rule.pattern.substr(0, 200) +
                                              "\" must be deny, allow or watch, not \"" +
                                              std::get<1>(row).substr(0, 40) + "\"");
  rule.verdict = *verdict;
  const Options options(std::get<2>(row), "rule option", {"ops", "severity", "category", "target"});
  if (const auto names = options.texts("ops")) {
    const auto ops = parse_ops(*names);
    if (const auto* wrong = std::get_if<std::string>(&ops)) refuse_value(where + *wrong);
    rule.ops = std::get<OpSet>(ops);
  }
  if (const auto severity = options.text("severity")) {
    rule.severity = parse_severity(*severity);
    if (!rule.severity) refuse_value(where + "the option 'severity' must be one of info, warning, critical");
  }
  rule.category = options.text("category").value_or("");
  rule.target = options.text("target").value_or("");
  if (const auto wrong = check_rule(rule)) throw Refused(Fault::invalid_pattern, where + *wrong);
  return rule;
}

Fault fault_of(const Error& error) {
  return error.errno_value == EMFILE || error.errno_value == ENFILE || error.errno_value == EUSERS
             ? Fault::limit_reached
             : Fault::failed;
}

}  // namespace

void ManagerService::start_monitoring(const Caller& caller, std::uint32_t pid, const Dict& options, Then then) {
  auto command = make_start(caller, pid, options, house_.self_pid);
  const Token token = command.token = next_token();
  send(std::move(command), token, std::move(then));
}

void ManagerService::start_monitoring_pidfd(const Caller& caller, int pidfd, const Dict& options, Then then) {
  auto process = resolve_pidfd(pidfd);
  auto command = make_start(caller, process.pid, options, house_.self_pid);
  command.pidfd = std::move(process.pidfd);
  const Token token = command.token = next_token();
  send(std::move(command), token, std::move(then));
}

StartMonitoringUnit ManagerService::unit_command(const Caller& caller, const Dict& dict) {
  const Options options(dict, "option", {"name", "tls"});
  StartMonitoringUnit command;
  command.name = read_name(options);
  command.tls = read_tls(options);
  command.owner_uid = caller.uid;
  command.source = TargetSource::dbus;
  return command;
}

void ManagerService::start_monitoring_unit(StartMonitoringUnit command, const Units::Found& found, Then then) {
  if (const auto* refusal = std::get_if<Refusal>(&found)) throw Refused(*refusal);
  const auto& place = std::get<Units::Place>(found);
  command.unit = place.unit;
  command.cgroup = place.cgroup;
  const Token token = command.token = next_token();
  send(std::move(command), token, std::move(then));
}

void ManagerService::stop_monitoring(const std::string& target, Then then) {
  const Token token = next_token();
  send(StopMonitoring{token, target}, token, std::move(then));
}

void ManagerService::reload(Then then) {
  const Token token = next_token();
  waiting_.emplace(token, std::move(then));  // before: it may be answered before it returns
  house_.reload(token);
}

void ManagerService::set_path_rules(const std::vector<NewRuleRow>& rows, Then then) {
  SetPathRules command;
  command.token = next_token();
  for (const NewRuleRow& row : rows) command.rules.push_back(read_rule(row, command.rules.size() + 1));
  const Token token = command.token;
  send(std::move(command), token, std::move(then));
}

std::vector<RuleRow> ManagerService::path_rules() const {
  if (!house_.monitor->sees_files())
    throw Refused(Fault::not_supported,
                  "no program that sees file operations runs on this kernel, so no path rules are in force; "
                  "aactl status says why");
  const std::vector<PathRule>& rules = house_.monitor->path_rules().rules();
  std::size_t size = 0;
  for (const PathRule& rule : rules) size += wire_size(rule);
  if (size > kRulesReplyLimit)
    throw Refused(Fault::limit_reached,
                  "the " + std::to_string(rules.size()) +
                      " path rules in force are larger than 16 MiB, which no answer is; those of the configuration are "
                      "to be read in its files (paths.rules, paths.include), and when fewer are set all can be listed");
  std::vector<RuleRow> out;
  out.reserve(rules.size());
  for (const PathRule& rule : rules) out.push_back(rule_row(rule));
  return out;
}

ManagerService::PathVerdict ManagerService::test_path(const std::string& path) const {
  if (path.empty() || path.front() != '/')
    refuse_value("give an absolute path: it is judged as text, nothing is opened");
  PathQuery query;
  const std::string normal = lexically_normal(path);
  query.path = normal;
  query.any_op = true;
  const Judgement judgement = house_.monitor->path_rules().judge(query);
  return {std::string(name_of(judgement.verdict)),
          judgement.rule == nullptr ? "" : to_bus_string(judgement.rule->pattern)};
}

void ManagerService::send(Command command, Token token, Then then) {
  waiting_.emplace(token, std::move(then));  // before the command: it may be answered before it returns
  try {
    house_.command(std::move(command));
  } catch (...) {
    waiting_.erase(token);
    throw;
  }
}

void ManagerService::answer(const Answer& answer) {
  auto entry = waiting_.extract(answer.token);
  if (!entry.empty()) entry.mapped()(answer);
}

std::vector<TargetRow> ManagerService::list_targets() const {
  std::vector<TargetRow> out;
  for (const Target* target : house_.monitor->targets()) out.push_back(target_row(*house_.monitor, *target));
  return out;
}

UniqueFd ManagerService::subscribe(const Caller& caller, const Dict& dict) const {
  const Options options(dict, "filter key", {"target", "types", "min_severity"});
  StreamFilter filter;
  filter.types = read_types(options);
  filter.min_severity = read_severity(options);
  if (const auto text = options.text("target")) {
    const auto found = house_.monitor->resolve_target(*text);
    if (const auto* refusal = std::get_if<Refusal>(&found)) throw Refused(*refusal);
    filter.target = std::get<const Target*>(found)->id;
  }
  const auto allowed = [caller, admitted = house_.admitted] {
    return may_call(*find_access("Subscribe"), caller.uid, caller.gids, *admitted);
  };
  auto stream = house_.subscribe(filter, allowed);
  if (!stream) throw Refused(fault_of(stream.error()), stream.error().text());
  return std::move(*stream);
}

ManagerService::Said ManagerService::test_command(const std::vector<std::string>& argv) const {
  constexpr std::size_t kArgvMax = 1024 * 1024;
  std::size_t bytes = 0;
  for (const std::string& argument : argv) bytes += argument.size() + 1;
  if (argv.empty()) refuse_value("argv is empty; give a command and its arguments");
  if (bytes > kArgvMax) refuse_value("argv has " + std::to_string(bytes) + " bytes; at most 1048576 are looked at");
  const Rule* rule = Detection(sighting_of(argv), house_.monitor->detect_table()).worst();
  if (rule == nullptr) return {};
  return {std::string(name_of(rule->detect_class)), std::string(name_of(rule->severity)), rule->name};
}

Dict ManagerService::explain_process(std::uint32_t pid) const {
  if (pid == 0) refuse_value("pid 0 is no process; give the pid of a process");
  (void)house_.counters();  // reads the kernel's counts: limits as they are now
  Explanation said = explain(*house_.monitor, pid);
  const bool lives = pid == house_.self_pid || ::kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH;
  if (said.id.empty() && !lives)
    throw Refused(Fault::no_such_process, "no process has the pid " + std::to_string(pid) + ", and none is remembered");
  if (pid == house_.self_pid) said.reason = "it is this daemon, which does not watch itself";
  std::vector<FamilyRow> families;
  for (const FamilyState& family : said.families)
    families.emplace_back(to_bus_string(family.family), family.state, to_bus_string(family.reason));
  std::vector<std::string> limits;
  for (const std::string& limit : said.limits) limits.push_back(to_bus_string(limit));
  std::vector<FamilyRow> stacks;
  for (const TlsStack& stack : house_.tls_stacks(pid))
    stacks.emplace_back(to_bus_string(stack.file), stack.state, to_bus_string(stack.reason));
  return {{"pid", sdbus::Variant{said.pid}},
          {"id", sdbus::Variant{said.id}},
          {"exe", sdbus::Variant{to_bus_string(said.exe)}},
          {"observed", sdbus::Variant{said.observed}},
          {"reason", sdbus::Variant{to_bus_string(said.reason)}},
          {"target", sdbus::Variant{said.target}},
          {"target_name", sdbus::Variant{to_bus_string(said.target_name)}},
          {"families", sdbus::Variant{families}},
          {"limits", sdbus::Variant{limits}},
          {"tls", sdbus::Variant{stacks}}};
}

std::vector<ProbeRow> ManagerService::probe_states() const {
  std::vector<ProbeRow> out;
  for (const auto& probe : house_.monitor->probes()) out.push_back(probe_row(probe));
  return out;
}

std::map<std::string, std::uint64_t> ManagerService::counters() const {
  const auto counters = house_.counters();
  return {counters.begin(), counters.end()};
}

}  // namespace aa
