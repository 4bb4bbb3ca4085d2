// daemon_reload.cpp: the configuration put in force, at the start and again: whole or not at all.
//
// Read and judged whole first, beside the loop; then the Monitor takes it in as one command and applies the difference;
// what the Monitor does not know of (the log) follows once it has answered. What takes effect at a restart only is
// said.
#include <grp.h>
#include <pwd.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>

#include "base/clock.h"
#include "base/notify.h"
#include "base/resident.h"
#include "config/compare.h"
#include "daemon.h"
#include "state/discovery.h"

namespace aa {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "nothing" : out;
}

Refusal refusal_of(const std::vector<Problem>& problems) {
  constexpr std::size_t kMost = 100;
  Refusal refusal{Fault::invalid_config, ""};
  for (std::size_t at = 0; at < problems.size() && at < kMost; ++at)
    refusal.sentence += (at == 0 ? "" : "\n") + problems[at].text();
  if (problems.size() > kMost) refusal.sentence += "\nand " + std::to_string(problems.size() - kMost) + " more";
  return refusal;
}

Configure command_of(const Config& config, Token token) {
  Configure command;
  command.token = token;
  command.policy = policy_of(config);
  command.rules = config.paths.rules;
  command.targets = config.targets;
  return command;
}

// Names were checked when the configuration was read; whoever is gone since has no id.
std::uint32_t uid_of(const std::string& name) {
  if (const passwd* user = ::getpwnam(name.c_str())) return user->pw_uid;
  return static_cast<std::uint32_t>(std::strtoul(name.c_str(), nullptr, 10));
}

std::uint32_t gid_of(const std::string& name) {
  if (const group* group = ::getgrnam(name.c_str())) return group->gr_gid;
  return static_cast<std::uint32_t>(std::strtoul(name.c_str(), nullptr, 10));
}

}  // namespace

Policy policy_of(const Config& config) {
  Policy policy;
  policy.least_alert = parse_severity(config.detect.min_severity).value_or(Severity::info);
  policy.detect = config.families.detect == "on";
  policy.detect_change = detect_change_of(config);
  policy.agents = std::get<std::vector<std::string>>(parse_agents(config.discovery.agents));
  policy.agents_per_uid = static_cast<std::uint32_t>(config.discovery.per_uid);
  policy.keep_exited = std::chrono::seconds(config.lineage.keep_exited_seconds);
  policy.keep_exited_count = config.lineage.keep_exited_count;
  policy.reconcile_every = std::chrono::seconds(config.lineage.reconcile_seconds);
  policy.sums_every = std::chrono::milliseconds(config.file.interval_ms);
  return policy;
}

void Daemon::configure() {
  input(command_of(latest_, kConfigureToken));
}

void Daemon::reload(Token token) {
  reloads_.push_back(token);
  if (reloads_.size() == 1) begin_reload();
}

void Daemon::begin_reload() {
  notify::reloading();
  loader_->load(request_of(options_));
}

void Daemon::take_loaded() {
  std::optional<Loaded> loaded = loader_->take();
  if (!loaded) return;
  if (const auto* problems = std::get_if<std::vector<Problem>>(&*loaded)) return end_reload(refusal_of(*problems));
  next_ = std::get<Config>(*std::move(loaded));
  input(command_of(next_, kReloadToken));
}

// Of the start, or of a reload.
void Daemon::take_configured(const Answer& answer) {
  const auto* refusal = std::get_if<Refusal>(&answer.outcome);
  if (answer.token == kReloadToken) return end_reload(refusal == nullptr ? std::nullopt : std::optional(*refusal));
  if (refusal != nullptr) start_refusal_ = *refusal;
}

void Daemon::end_reload(const std::optional<Refusal>& refusal) {
  if (refusal) {
    spdlog::error("the configuration was not taken in, and nothing has changed: {}", refusal->sentence);
  } else {
    const std::vector<std::string> changed = differing(latest_, next_);
    latest_ = std::move(next_);
    spdlog::info("the configuration was read again; changed: {}; takes effect at restart: {}", listed(changed),
                 listed(awaiting_restart()));  // before the level that it asks for
    apply_live(latest_);
    if (control_) control_->reloaded(changed, awaiting_restart());
  }
  const Token token = reloads_.front();
  if (control_) control_->answer({token, refusal ? std::variant<std::string, Refusal>(*refusal) : std::string()});
  notify::ready(status_);
  reloads_.pop_front();
  give_back_free_heap();  // two configurations were held, and a set of rules that is gone may have been large
  if (!reloads_.empty()) begin_reload();
}

void Daemon::apply_live(const Config& config) {
  spdlog::set_level(spdlog::level::from_str(config.log.level));
  journal_least_ = parse_severity(config.journal.min_severity);  // none of "off"
  admitted_ = {};
  for (const std::string& user : config.access.users) admitted_.uids.insert(uid_of(user));
  for (const std::string& group : config.access.groups) admitted_.gids.insert(gid_of(group));
  if (const std::size_t ended = subscribers_ ? subscribers_->end_forbidden() : 0; ended != 0)
    spdlog::info("{} streams of events were ended: their readers may not call the daemon any more", ended);
  watch_files(config);
}

void Daemon::watch_files(const Config& config) {
  if (config.reload.watch == "on")
    file_watch_->watch(request_of(options_).file, config.rule_files);
  else
    file_watch_->watch_nothing();
}

std::vector<std::string> Daemon::awaiting_restart() const {
  return differing(config_, latest_, Applies::restart);
}

// Asked again whenever the bus comes back.
void Daemon::find_unit(const std::string& unit) {
  units_sought_.insert(unit);
  if (!control_) return;
  control_->find_unit(unit, [this](UnitFound found) {
    units_sought_.erase(found.unit);
    complete_later(std::move(found));
  });
}

}  // namespace aa
