// state/monitor_events.cpp: what each kernel record changes, and how an event is finished.
//
// Comes in: decoded records, also late ones of targets already released. Goes out: numbered events with target, wall
// time and exe. A record names its process fully, so one that nobody introduced is made from the record's own header.
#include <algorithm>

#include "state/monitor_impl.h"

namespace aa {
namespace {

Process seen_process(const ProcessRef& ref, const Lineage& lineage) {
  Process process;
  process.id = ref.id;
  process.parent = ref.parent;
  process.parent_source = ref.parent_source;
  process.uid = ref.uid;
  process.gid = ref.gid;
  process.ns_pid = ref.ns_pid;
  process.image = ref.image;
  process.cgroup = share_cgroup(ref.cgroup, lineage.get(ref.id), lineage.get(ref.parent));
  ref.comm.copy(process.comm, sizeof(process.comm) - 1);
  return process;
}

}  // namespace

bool is_record(const EventBody& body) {
  return std::holds_alternative<ForkBody>(body) || std::holds_alternative<ExecBody>(body) ||
         std::holds_alternative<ExitBody>(body) || std::holds_alternative<FileBody>(body) ||
         std::holds_alternative<FileSumBody>(body) || std::holds_alternative<RefusedBody>(body) ||
         std::holds_alternative<AdoptedBody>(body) || std::holds_alternative<TlsBody>(body) ||
         std::holds_alternative<TlsConnectionBody>(body) || std::holds_alternative<TlsClosedBody>(body);
}

std::shared_ptr<const std::string> share_cgroup(const std::string& path, const Process* known, const Process* parent) {
  if (path.empty()) return nullptr;
  for (const Process* other : {known, parent}) {
    if (other != nullptr && other->cgroup != nullptr && *other->cgroup == path) return other->cgroup;
  }
  return std::make_shared<const std::string>(path);
}

void Monitor::Impl::take(Step& step, Event event) {
  if (!is_record(event.body) || !event.process) return deliver(step, std::move(event), nullptr);
  if (SlotTable::row_of(event.slot) == SlotTable::kSelfTestRow) return;
  if (const auto it = enrolling.find(event.slot); it != enrolling.end()) {
    it->second.held.push_back(std::move(event));
    return;
  }
  if (take_discovered(step, event)) return;
  handle_record(step, std::move(event));
}

void Monitor::Impl::handle_record(Step& step, Event event) {
  const SlotTable::Owner* owner = slots.owner(event.slot);
  const std::uint32_t key = key_of(owner);
  if (std::holds_alternative<FileBody>(event.body)) return on_file(step, std::move(event), owner);
  if (const auto* sum = std::get_if<FileSumBody>(&event.body)) return tell_sums(step, {sum->sum});
  if (std::holds_alternative<TlsBody>(event.body)) return on_tls(step, std::move(event), owner);
  if (const auto* copied = std::get_if<TlsConnectionBody>(&event.body)) return on_tls_connection(event, *copied);
  if (const auto* closed = std::get_if<TlsClosedBody>(&event.body)) return on_tls_closed(event, *closed);
  if (std::holds_alternative<ExitBody>(event.body)) return on_exit(step, std::move(event));
  if (const auto* fork = std::get_if<ForkBody>(&event.body)) {
    on_fork(step, event, fork->child, fork->child_ns_pid, key, key);
  } else if (const auto* refused = std::get_if<RefusedBody>(&event.body)) {
    const ForkBody as_fork{refused->child, refused->child_ns_pid};
    on_fork(step, event, as_fork.child, as_fork.child_ns_pid, key, 0);
    event.body = as_fork;
  } else if (const auto* exec = std::get_if<ExecBody>(&event.body)) {
    on_exec(step, event, *exec, key);
  } else {
    return on_adopted(step, event, key);
  }
  deliver(step, std::move(event), owner);
  detect_exec(step);
}

void Monitor::Impl::ended_now(Step& step, Event event) {
  const SlotTable::Owner* owner = slots.owner(event.slot);
  auto& exit = std::get<ExitBody>(event.body);
  const std::uint64_t boot_ns = event.boot_ns;
  const std::uint64_t start_ns = event.process->id.start_ns;
  if (exit.runtime_ns == 0 && boot_ns > start_ns) exit.runtime_ns = boot_ns - start_ns;
  const std::uint32_t ended_in = observe(step, event, key_of(owner)).target;
  ended(event.process->id, static_cast<std::int32_t>(exit.status), boot_ns);
  forget_path_alerts(event.process->id);
  tls_connections.forget(event.process->id);
  deliver(step, std::move(event), owner);
  check_exited(step, ended_in, boot_ns);
}

void Monitor::Impl::deliver(Step& step, Event event, const SlotTable::Owner* owner) {
  event.seq = ++delivered;
  event.wall_ns = static_cast<std::int64_t>(event.boot_ns) + settings.realtime_offset_ns;
  if (owner != nullptr) {
    event.target = owner->ref;
    if (const auto it = targets.find(owner->key); it != targets.end()) ++it->second.events;
  }
  if (event.process && event.process->exe.empty()) {
    const Process* process = lineage.get(event.process->id);
    if (process != nullptr && process->text != nullptr && process->image == event.process->image) {
      event.process->exe = process->text->exe;
    }
  }
  step.events.push_back(std::move(event));
}

void Monitor::Impl::deliver_target(Step& step, const Target& target, TargetBody body, std::uint64_t boot_ns) {
  Event event;
  event.boot_ns = boot_ns;
  event.slot = target.slot;
  event.body = body;
  const SlotTable::Owner owner{target.slot, target.key, {target.id, target.name}, 0};
  deliver(step, std::move(event), &owner);
}

void Monitor::Impl::deliver_loss(Step& step, LossBody loss) {
  Event event;
  event.boot_ns = loss.last_boot_ns;
  event.body = std::move(loss);
  deliver(step, std::move(event), nullptr);
}

// The running target a slot's processes belong to now: its owner, or the one it was released to; 0 none.
std::uint32_t Monitor::Impl::key_of(const SlotTable::Owner* owner) const {
  if (owner == nullptr) return 0;
  if (watches.contains(owner->key)) return owner->key;
  return watches.contains(owner->heir) ? owner->heir : 0;
}

Process& Monitor::Impl::observe(Step& step, const Event& event, std::uint32_t key) {
  const ProcessRef& ref = *event.process;
  if (Process* known = lineage.find(ref.id); known != nullptr && known->exit == kExitLost) {
    const bool seen_later = event.boot_ns > known->exit_ns && !std::holds_alternative<ExitBody>(event.body);
    if (seen_later) revive(ref.id);
  }
  return introduce(step, seen_process(ref, lineage), key, event.boot_ns);
}

void Monitor::Impl::revive(const ProcessId& id) {
  if (!lineage.revive(id)) return;
  Process& process = *lineage.find(id);
  const std::uint32_t target = std::exchange(process.target, 0);
  const bool was_watched = std::exchange(process.watched, false);
  if (!was_watched || running(target) == nullptr) return;
  move_to(process, target);
  --running(target)->processes;  // it was counted when it came
}

Process& Monitor::Impl::introduce(Step& step, Process process, std::uint32_t key, std::uint64_t boot_ns) {
  std::uint32_t bereft = 0;
  const Process* holder = lineage.by_pid(process.id.pid);
  if (holder != nullptr && holder->alive() && holder->id.start_ns < process.id.start_ns) {
    const ProcessId gone = holder->id;
    if (ending.contains(gone)) {
      finish_exit(step, gone);
      return introduce(step, std::move(process), key, boot_ns);
    }
    bereft = holder->watched ? holder->target : 0;
    ended(gone, kExitLost, process.id.start_ns);
    if (bereft != 0) deliver_loss(step, {"lineage", "exit-lost", 1, gone.start_ns, process.id.start_ns});
  }
  if (Process* known = lineage.find(process.id); known != nullptr && known->alive() && !known->watched && key != 0) {
    // The kernel counts images anew, and what it ran while nobody looked is not known.
    known->image = process.image;
    known->text = process.text;
    known->exec_ns = 0;
  }
  process.watched = false;
  Process& here = lineage.insert(std::move(process));
  if (key != 0 && !here.watched) move_to(here, key);
  check_exited(step, bereft, boot_ns);
  return here;
}

void Monitor::Impl::on_fork(Step& step, const Event& event, const ProcessId& child, std::uint32_t ns_pid,
                            std::uint32_t parent_key, std::uint32_t child_key) {
  const Process& parent = observe(step, event, parent_key);
  Process born = parent;
  born.id = child;
  born.parent = parent.id;
  born.parent_source = ParentSource::birth;
  born.ns_pid = ns_pid;
  born.image = event.process->image;
  if (parent.image != event.process->image) born.text = nullptr;
  if (child_key == 0) {  // found no room: what it runs next is not seen
    born.text = nullptr;
    born.image = 0;
  }
  born.exit = kAlive;
  born.exit_ns = 0;
  born.exec_ns = 0;
  born.target = 0;
  introduce(step, std::move(born), child_key, event.boot_ns);
}

void Monitor::Impl::on_exec(Step& step, const Event& event, const ExecBody& exec, std::uint32_t key) {
  Process& process = observe(step, event, key);
  if (exec.result < 0 || event.process->image < process.image) return;
  process.text = texts.make(event.process->exe, exec.cwd, exec.argv, exec.argv_truncated);
  process.exec_ns = event.boot_ns;
}

// No event of its own: it is told, counted, with the target's next change.
void Monitor::Impl::on_adopted(Step& step, const Event& event, std::uint32_t key) {
  const Process* known = lineage.get(event.process->id);
  const bool was_inside = known != nullptr && known->watched;
  Process& process = observe(step, event, key);
  if (key != 0) move_to(process, key);  // also from an outer unit's target to an inner one's
  if (key != 0 && !was_inside) watches[key].adopted_unreported.insert(event.process->id);
}

}  // namespace aa
