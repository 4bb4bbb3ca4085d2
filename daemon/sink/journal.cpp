#include "sink/journal.h"

#include <spdlog/spdlog.h>

#include <memory>

#include "base/text.h"

namespace aa {
namespace {

// Whatever the level of the daemon's own messages is: journal.min_severity alone decides.
spdlog::logger& teller() {
  static const std::shared_ptr<spdlog::logger> teller = [] {
    std::shared_ptr<spdlog::logger> made = spdlog::default_logger()->clone("events");
    made->set_level(spdlog::level::trace);
    return made;
  }();
  return *teller;
}

void log_alert(const Event& event, const AlertBody& alert) {
  const auto level = alert.severity == Severity::critical  ? spdlog::level::err
                     : alert.severity == Severity::warning ? spdlog::level::warn
                                                           : spdlog::level::info;
  const std::string process = event.process ? event.process->id.text() : "-";
  const std::string exe = event.process ? for_terminal(event.process->exe) : "-";
  const std::string of_class = alert.detect_class.empty() ? "" : ", " + alert.detect_class;
  teller().log(level, "alert {}{}: {} (process {}, exe {}, seq {})", alert.kind, of_class, for_terminal(alert.summary),
               process, exe, event.seq);
}

}  // namespace

void log_event(const Event& event, Severity least) {
  const auto* alert = std::get_if<AlertBody>(&event.body);
  if (alert != nullptr && alert->severity >= least) log_alert(event, *alert);
  if (const auto* loss = std::get_if<LossBody>(&event.body))
    teller().warn("lost {} {} event(s): {}", loss->count, loss->family, loss->cause);
  if (const auto* probe = std::get_if<ProbeBody>(&event.body))
    spdlog::info("probe {} ({}): {} {}", probe->program, probe->hook, name_of(probe->state), probe->reason);
}

}  // namespace aa
