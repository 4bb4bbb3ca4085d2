// state/monitor_detect.cpp: an exec that the detector has something to say about becomes an alert.
//
// Comes in: a successful exec that was just delivered. Goes out: at most one alert, right behind it, with who ran it
// and by whom. The summary holds names of executables and ids, never arguments: it goes to the bus and to the journal.
#include "base/text.h"
#include "state/detect.h"
#include "state/monitor_impl.h"

namespace aa {
namespace {

constexpr std::size_t kAncestryMax = 32;
constexpr std::size_t kArgvBytes = 1024;  // of one process in an ancestry
constexpr std::string_view kCut = "…";

std::string name_of_exe(const Process& process) {
  const std::string exe = process.text == nullptr ? std::string() : process.text->exe;
  if (exe.empty()) return for_terminal(process.comm);
  return for_terminal(exe.substr(exe.rfind('/') + 1));
}

std::vector<std::string> cut_argv(const std::vector<std::string>& argv) {
  std::vector<std::string> out;
  std::size_t room = kArgvBytes;
  for (const std::string& argument : argv) {
    if (argument.size() >= room) {
      out.push_back(argument.substr(0, room).append(kCut));
      return out;
    }
    room -= argument.size() + 1;
    out.push_back(argument);
  }
  return out;
}

}  // namespace

std::vector<AncestryItem> Monitor::Impl::ancestry_of(const ProcessId& id) const {
  std::vector<AncestryItem> out;
  for (const Process* process : lineage.ancestry(id)) {
    if (out.size() == kAncestryMax) break;
    AncestryItem item{process->id, "", {}};
    if (process->text != nullptr) item = {process->id, process->text->exe, cut_argv(process->text->argv)};
    out.push_back(std::move(item));
  }
  return out;
}

void Monitor::Impl::detect_exec(Step& step) {
  const Event& cause = step.events.back();
  const auto* exec = std::get_if<ExecBody>(&cause.body);
  if (exec == nullptr || exec->result < 0) return;
  const Rule* rule = detect(sighting_of(*cause.process, *exec), shipped_detect_table());
  if (rule == nullptr || rule->severity < settings.least_alert) return;
  Event about;
  about.seq = cause.seq;
  about.boot_ns = cause.boot_ns;
  about.slot = cause.slot;
  about.process = cause.process;
  alert_rule(step, std::move(about), *rule);
}

// `about`: the process, when, and the seq of what caused it.
void Monitor::Impl::alert_rule(Step& step, Event about, const Rule& rule) {
  AlertBody alert;
  alert.kind = name_of(rule.detect_class);
  alert.severity = rule.severity;
  alert.rule = rule.name;
  alert.ancestry = ancestry_of(about.process->id);
  alert.cause_seq = about.seq;
  const Process* process = lineage.get(about.process->id);
  const Process* parent = process == nullptr ? nullptr : lineage.get(process->parent);
  alert.summary = (process == nullptr ? for_terminal(about.process->comm) : name_of_exe(*process)) +
                  (parent == nullptr ? "" : ", started by " + name_of_exe(*parent)) + ": " + rule.sentence;
  about.body = std::move(alert);
  const SlotTable::Owner* owner = slots.owner(about.slot);
  deliver(step, std::move(about), owner);
}

}  // namespace aa
