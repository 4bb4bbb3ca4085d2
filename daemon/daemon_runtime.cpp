// daemon_runtime.cpp: what was said over the bus outlives this daemon, in its runtime directory, until the machine or
// the unit is stopped. The service manager says where that is; without one nothing is kept.
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/write_all.h"
#include "config/read_file.h"
#include "config/runtime_state.h"
#include "daemon.h"

namespace aa {
namespace {

constexpr std::size_t kMostBytes = 64 << 20;

// Empty: nothing is kept.
std::string runtime_file(const char* name = "runtime.json") {
  const char* folder = std::getenv("RUNTIME_DIRECTORY");
  return folder == nullptr || *folder != '/' ? "" : std::string(folder) + "/" + name;
}

// What could not be taken over is not overwritten by what comes next.
void set_aside(const std::string& file, const std::string& why) {
  const std::string aside = file + ".not-taken";
  if (::rename(file.c_str(), aside.c_str()) == 0)
    spdlog::warn("{}; what was said over the bus before lies in {}", why, aside);
  else
    spdlog::error("{}; {} cannot be put aside: {}", why, file, std::strerror(errno));
}

bool has_running_rules(const Monitor& monitor) {
  return std::ranges::any_of(monitor.path_rules().rules(),
                             [](const PathRule& rule) { return rule.layer == RuleLayer::runtime; });
}

}  // namespace

void Daemon::restore_runtime() {
  const std::string file = runtime_file();
  const auto text = file.empty() ? Result<std::string>(Error{"", ENOENT, ""}) : read_file(file, kMostBytes);
  runtime_restored_ = true;
  if (!text) {
    if (text.error().errno_value != ENOENT) set_aside(file, file + " " + text.error().text());
    return;
  }
  auto commands = restore_runtime_state(*text, settings_.boot_id);
  if (!commands) return set_aside(file, commands.error().text());
  for (Command& command : *commands) {
    std::visit([](auto& one) { one.token = kRestoreToken; }, command);
    const bool rules = std::holds_alternative<SetPathRules>(command);
    input(std::move(command));
    if (rules && monitor_->sees_files()) await_rules();
    if (rules && !has_running_rules(*monitor_)) set_aside(file, "rules of the running layer were not taken over");
  }
}

void Daemon::take_restored(const Answer& answer) {
  if (const auto* refusal = std::get_if<Refusal>(&answer.outcome))
    spdlog::info("not taken over from the daemon before: {}", refusal->sentence);
}

// Whole or not at all: a file of its own takes the place of the one before.
void Daemon::keep_runtime() {
  runtime_changed_ = false;
  const std::string file = runtime_file();
  if (file.empty() || !runtime_restored_) return;
  std::string text = runtime_state(*monitor_, settings_.boot_id);
  if (text == runtime_kept_) return;
  const std::string fresh = file + ".new";
  ::unlink(fresh.c_str());
  const UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || !write_all(fd.get(), text) || ::rename(fresh.c_str(), file.c_str()) != 0)
    return spdlog::error("{} cannot be written: {}; a restart will forget what was said over the bus", file,
                         std::strerror(errno));
  runtime_kept_ = std::move(text);
}

// What the daemon before held back when it died cannot be told any more: how much it was can.
void Daemon::take_over_undecided() {
  const std::string file = runtime_file("undecided");
  if (file.empty()) return;
  auto opened = Lasting<HeldBack>::open(file);
  if (!opened) return spdlog::error("{}", opened.error().text());
  held_back_ = std::move(*opened);
  HeldBack& kept = **held_back_;
  const std::string_view boot_id(kept.boot_id.data(), ::strnlen(kept.boot_id.data(), kept.boot_id.size()));
  if (kept.bytes != 0 && boot_id == settings_.boot_id) {
    lost_with_the_last_ = {"tls", "undecided", kept.bytes, kept.first_boot_ns, kept.last_boot_ns};
    refresh_counts();
  }
  kept = {};
  settings_.boot_id.copy(kept.boot_id.data(), kept.boot_id.size());
}

void Daemon::keep_undecided() {
  if (!held_back_) return;
  const Undecided now = source_->undecided();
  (**held_back_).first_boot_ns = now.first_boot_ns;
  (**held_back_).last_boot_ns = now.last_boot_ns;
  (**held_back_).bytes = now.bytes;
}

}  // namespace aa
