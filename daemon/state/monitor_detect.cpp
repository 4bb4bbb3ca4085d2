// state/monitor_detect.cpp: an exec that the detector has something to say about becomes an alert.
//
// Comes in: a successful exec that was just delivered; later, whose copy its program is, and what writes into the pipe
// it reads. Goes out: at most one alert right behind the exec, and one more for what later knowledge adds, with who ran
// it and by whom. The summary holds names of executables and ids, never arguments: it goes to the bus and the journal.
#include <algorithm>
#include <iterator>

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
  return for_terminal(exe.empty() ? process.comm : std::string(last_component(exe)));
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

// Where programs of the system lie; what is called a shell elsewhere may be anything.
bool is_system_path(std::string_view path) {
  static constexpr std::string_view kFolders[] = {"/bin/",      "/sbin/",          "/usr/bin/",
                                                  "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"};
  return std::any_of(std::begin(kFolders), std::end(kFolders), [&](std::string_view folder) {
    return path.starts_with(folder) && path.find('/', folder.size()) == std::string_view::npos;
  });
}

AncestryItem item_of(const ProcessId& id, const ProcessText* text) {
  if (text == nullptr) return {id, "", {}};
  return {id, text->exe, cut_argv(text->argv)};
}

}  // namespace

std::vector<AncestryItem> Monitor::Impl::ancestry_of(const ProcessId& id) const {
  std::vector<AncestryItem> out;
  for (const Process* process : lineage.ancestry(id)) {
    if (out.size() == kAncestryMax) break;
    out.push_back(item_of(process->id, process->text.get()));
  }
  return out;
}

std::variant<Monitor::Impl::Table, Refusal> Monitor::Impl::table_for(const DetectChange& change) const {
  if (change == settings.policy.detect_change) return own_detect_table;
  auto changed = change_detect_table(shipped_detect_table(), change);
  if (const auto* problems = std::get_if<std::vector<DetectProblem>>(&changed))
    return Refusal{Fault::invalid_config, "a row of the detector's table cannot be used: " + problems->front().what};
  return std::make_shared<const DetectTable>(std::get<DetectTable>(std::move(changed)));
}

// What flows through pipes was told in families of the table before: from here on it is told anew.
void Monitor::Impl::use_table(Table table) {
  if (table == own_detect_table) return;
  own_detect_table = std::move(table);
  exec_notes = {};
}

void Monitor::Impl::detect_exec(Step& step) {
  const Event& cause = step.events.back();
  const auto* exec = std::get_if<ExecBody>(&cause.body);
  if (exec == nullptr || exec->result < 0 || !settings.policy.detect) return;
  Sighting sighting = sighting_of(*cause.process, *exec);
  sighting.upstream = exec_notes.carried(exec->stdin_pipe);
  const Detection detection(sighting, detect_table());
  if (identify(step, cause, *exec) || exec->stdin_pipe != 0 || exec->stdout_pipe != 0) {
    const Process* process = lineage.get(cause.process->id);
    exec_notes.add({cause.process->id, cause.process->image, cause.slot, cause.seq, cause.boot_ns, exec->stdin_pipe,
                    exec->stdout_pipe, "", process == nullptr ? nullptr : process->text});
  }
  const std::uint64_t stdout_pipe = exec->stdout_pipe;
  if (const Rule* rule = detection.worst()) {
    Event about;
    about.seq = cause.seq;
    about.boot_ns = cause.boot_ns;
    about.slot = cause.slot;
    about.process = cause.process;
    const ProcessId id = cause.process->id;
    alert_rule(step, std::move(about), *rule, ancestry_of(id));  // `cause` may move
  }
  spread(step, stdout_pipe, detection.output());
}

// A program whose name says nothing may be a copy of one whose name does; a known one is learnt from, once for a file.
bool Monitor::Impl::identify(Step& step, const Event& cause, const ExecBody& exec) {
  const std::string& exe = cause.process->exe;
  if (exe.empty() || exec.exe_ino == 0 || exec.memfd || exec.deleted) return false;
  IdentifyPlan plan{cause.process->id, cause.process->image, exe, exec.exe_ino, exec.exe_dev, ""};
  const DetectTable& table = detect_table();
  const std::string name = program_name(exe, table);
  const bool known = table.programs.contains(name);
  if (known) {
    if (!is_system_path(exe) || learnt_files.size() >= kMostLearntFiles) return false;
    if (!learnt_files.emplace(exec.exe_dev, exec.exe_ino).second) return false;
    plan.learn_as = name;
  }
  step.plans.emplace_back(std::move(plan));
  return !known;
}

void Monitor::Impl::identified(Step& step, const Identified& done) {
  ExecNote* note = exec_notes.find(done.process, done.image);
  if (note == nullptr || note->text == nullptr || !detect_table().programs.contains(done.program)) return;
  const Detection before(sighting_now(*note), detect_table());
  note->known_as = done.program;
  const Detection now(sighting_now(*note), detect_table());
  if (const Rule* rule = now.worst_beyond(before)) late_alert(step, *note, *rule);
  spread(step, note->stdout_pipe, now.output());
}

Sighting Monitor::Impl::sighting_now(const ExecNote& note) const {
  Sighting sighting;
  sighting.argv = note.text->argv;
  sighting.exe = note.text->exe;
  sighting.cwd = note.text->cwd;
  sighting.known_as = note.known_as;
  sighting.upstream = exec_notes.carried(note.stdin_pipe);
  return sighting;
}

// What a program writes into a pipe may make something of those that read it already, and of what they write in turn.
void Monitor::Impl::spread(Step& step, std::uint64_t pipe, Families families) {
  std::vector<std::pair<std::uint64_t, Families>> work = {{pipe, families}};
  while (!work.empty()) {
    const auto [into, news] = work.back();
    work.pop_back();
    const Families before = exec_notes.carried(into);
    for (const auto& [process, image] : exec_notes.carry(into, news)) {
      const ExecNote* reader = exec_notes.find(process, image);
      if (reader == nullptr || reader->text == nullptr) continue;
      Sighting sighting = sighting_now(*reader);
      const Detection now(sighting, detect_table());
      sighting.upstream = before;
      const Rule* rule = now.worst_beyond(Detection(sighting, detect_table()));
      if (rule != nullptr) late_alert(step, *reader, *rule);
      work.emplace_back(reader->stdout_pipe, now.output());
    }
  }
}

// About an exec told before, as it was then: the process may run something else by now, or be gone.
void Monitor::Impl::late_alert(Step& step, const ExecNote& note, const Rule& rule) {
  ProcessRef ref;
  ref.id = note.process;
  ref.tid = note.process.pid;
  ref.image = note.image;
  ref.exe = note.text->exe;
  ref.comm = last_component(note.text->exe).substr(0, sizeof(Process::comm) - 1);
  if (const Process* process = lineage.get(note.process)) {
    ref.ns_pid = process->ns_pid;
    ref.parent = process->parent;
    ref.parent_source = process->parent_source;
    ref.uid = process->uid;
    ref.gid = process->gid;
    if (process->image == note.image) ref.comm = process->comm;
    if (process->cgroup != nullptr) ref.cgroup = *process->cgroup;
  }
  std::vector<AncestryItem> ancestry = ancestry_of(note.process);
  if (!ancestry.empty()) ancestry.front() = item_of(note.process, note.text.get());
  Event about;
  about.seq = note.seq;
  about.boot_ns = note.boot_ns;
  about.slot = note.slot;
  about.process = std::move(ref);
  alert_rule(step, std::move(about), rule, std::move(ancestry));
}

// `about`: the process, when, and the seq of what caused it.
void Monitor::Impl::alert_rule(Step& step, Event about, const Rule& rule, std::vector<AncestryItem> ancestry) {
  if (rule.severity < settings.policy.least_alert) return;
  const ProcessRef& who = *about.process;
  AlertBody alert;
  alert.kind = "shell-injection";
  alert.detect_class = name_of(rule.detect_class);
  alert.severity = rule.severity;
  alert.rule = rule.name;
  alert.ancestry = std::move(ancestry);
  alert.cause_seq = about.seq;
  const Process* process = lineage.get(who.id);
  const Process* parent = process == nullptr ? nullptr : lineage.get(process->parent);
  alert.summary = for_terminal(who.exe.empty() ? who.comm : std::string(last_component(who.exe))) +
                  (parent == nullptr ? "" : ", started by " + name_of_exe(*parent)) + ": " + rule.sentence;
  about.body = std::move(alert);
  const SlotTable::Owner* owner = slots.owner(about.slot);
  deliver(step, std::move(about), owner);
}

}  // namespace aa
