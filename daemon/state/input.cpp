#include "state/input.h"

#include "event/event_fields.h"

// Every function names all members: one that is added and forgotten here does not compile. Their order is the format.
namespace aa {

template <class A>
void fields(A& archive, std::chrono::nanoseconds& value) {
  std::int64_t count = value.count();
  archive(count);
  value = std::chrono::nanoseconds(count);
}

template <class A>
void fields(A& archive, TextBudget::Limits& value) {
  auto& [argv_bytes, total_bytes] = value;
  archive(argv_bytes, total_bytes);
}

template <class A>
void fields(A& archive, Policy& value) {
  auto& [least_alert, detect, change, agents, per_uid, keep_exited, keep_exited_count, reconcile_every, sums_every] =
      value;
  archive.choice(least_alert, 3);
  archive(detect, change.off, change.rows, agents, per_uid);
  fields(archive, keep_exited);
  archive(keep_exited_count);
  fields(archive, reconcile_every);
  fields(archive, sums_every);
}

template <class A>
void fields(A& archive, Monitor::Settings& value) {
  auto& [boot_id, offset, watched_limit, share, texts, keep_targets, policy, standby, homes] = value;
  archive(boot_id, offset, watched_limit, share, texts, keep_targets, policy);
  fields(archive, standby);
  archive(homes);
}

template <class A>
void fields(A& archive, Refusal& value) {
  auto& [fault, sentence] = value;
  archive.choice(fault, static_cast<std::size_t>(Fault::failed) + 1);
  archive(sentence);
}

template <class A>
void fields(A& archive, StartMonitoring& value) {
  auto& [token, pid, root, pidfd, name, tls, owner_uid, source] = value;
  (void)pidfd;  // a descriptor means nothing elsewhere
  archive(token, pid, root, name);
  archive.choice(tls, 4);
  archive(owner_uid);
  archive.choice(source, 3);
}

template <class A>
void fields(A& archive, StartMonitoringUnit& value) {
  auto& [token, unit, cgroup, name, tls, owner_uid, source] = value;
  archive(token, unit, cgroup, name);
  archive.choice(tls, 4);
  archive(owner_uid);
  archive.choice(source, 3);
}

template <class A>
void fields(A& archive, StopMonitoring& value) {
  auto& [token, target] = value;
  archive(token, target);
}

template <class A>
void fields(A& archive, PathRule& value) {
  auto& [pattern, verdict, ops, severity, category, target, layer] = value;
  archive(pattern);
  archive.choice(verdict, kVerdictCount);
  archive(ops);
  archive.choice(severity, 3);
  archive(category, target);
  archive.choice(layer, kRuleLayers);
}

template <class A>
void fields(A& archive, SetPathRules& value) {
  auto& [token, layer, rules] = value;
  archive(token);
  archive.choice(layer, kRuleLayers);
  archive(rules);
}

template <class A>
void fields(A& archive, TargetWish& value) {
  auto& [by, what, number, name, tls, imports, leads_to] = value;
  archive.choice(by, 5);
  archive(what, number, name);
  archive.choice(tls, 4);
  archive(imports, leads_to);
}

template <class A>
void fields(A& archive, Configure& value) {
  auto& [token, policy, rules, targets] = value;
  archive(token, policy, rules, targets);
}

template <class A>
void fields(A& archive, KeepPromises& value) {
  auto& [token, root, rules] = value;
  archive(token, root, rules);
}

template <class A>
void fields(A& archive, LivingProcess& value) {
  auto& [id, parent, parent_source, ns_pid, uid, gid, image, slot, watched, adopted, has_text, comm, cgroup, exe,
         filename, cwd, argv] = value;
  archive(id, parent);
  archive.choice(parent_source, 2);
  archive(ns_pid, uid, gid, image, slot, watched, adopted, has_text, comm, cgroup, exe, filename, cwd, argv);
}

template <class A>
void fields(A& archive, Enrolled& value) {
  auto& [token, slot, boot_ns, refusal, root, already, outer, processes] = value;
  archive(token, slot, boot_ns, refusal, root, already, outer, processes);
}

template <class A>
void fields(A& archive, Released& value) {
  auto& [token, slot, boot_ns, return_to] = value;
  archive(token, slot, boot_ns, return_to);
}

template <class A>
void fields(A& archive, Adopted& value) {
  auto& [slot, boot_ns, processes] = value;
  archive(slot, boot_ns, processes);
}

template <class A>
void fields(A& archive, Reconciled& value) {
  auto& [snapshot_boot_ns, processes] = value;
  archive(snapshot_boot_ns, processes);
}

template <class A>
void fields(A& archive, RulesInForce& value) {
  auto& [token, boot_ns, generation, refusal] = value;
  archive(token, boot_ns, generation, refusal);
}

template <class A>
void fields(A& archive, LookedAround& value) {
  auto& [boot_ns, processes] = value;
  archive(boot_ns, processes);
}

template <class A>
void fields(A& archive, UnitFound& value) {
  auto& [unit, id, cgroup, refusal] = value;
  archive(unit, id, cgroup, refusal);
}

template <class A>
void fields(A& archive, Settled& value) {
  auto& [process] = value;
  archive(process);
}

template <class A>
void fields(A& archive, SumsCollected& value) {
  auto& [process, sums] = value;
  archive(process, sums);
}

template <class A>
void fields(A& archive, SumsFlipped& value) {
  auto& [boot_ns, sums] = value;
  archive(boot_ns, sums);
}

template <class A>
void fields(A& archive, Identified& value) {
  auto& [process, image, program] = value;
  archive(process, image, program);
}

template <class A>
void fields(A& archive, ImportNote& value) {
  auto& [import, broken, line, entry, sentence] = value;
  archive(import, broken, line, entry, sentence);
}

template <class A>
void fields(A& archive, Imported& value) {
  auto& [key, rules, notes, gone] = value;
  archive(key, rules, notes, gone);
}

template <class A>
void fields(A& archive, SlotCount& value) {
  auto& [slot, live, attempts, lost, refused] = value;
  archive(slot, live, attempts, lost, refused);
}

template <class A>
void fields(A& archive, KernelCounts& value) {
  auto& [boot_ns, ledger, slots] = value;
  archive(boot_ns, ledger, slots);
}

template <class A>
void fields(A& archive, TimePassed& value) {
  auto& [boot_ns] = value;
  archive(boot_ns);
}

namespace {

constexpr std::uint8_t kSettings = 1;
constexpr std::uint8_t kInput = 2;

template <class T>
std::string payload_of(T value) {
  std::string out;
  ArchiveWriter write(out);
  write(value);
  return out;
}

template <class T>
Result<T> value_of(const CaptureReader::Record& record, std::uint8_t kind, const char* what) {
  const std::string where = "the record at byte " + std::to_string(record.offset);
  if (record.kind != kind) return Error{where + " is not " + what, 0, ""};
  T value;
  ArchiveReader read(record.payload);
  read(value);
  if (!read.complete()) return Error{where + " does not hold what it should: it is damaged", 0, ""};
  return value;
}

}  // namespace

Step feed(Monitor& monitor, Input input) {
  if (auto* event = std::get_if<Event>(&input)) return monitor.on_event(std::move(*event));
  if (auto* command = std::get_if<Command>(&input)) return monitor.apply(std::move(*command));
  if (auto* completion = std::get_if<Completion>(&input)) return monitor.complete(std::move(*completion));
  if (const auto* counts = std::get_if<KernelCounts>(&input)) return monitor.on_counts(*counts);
  if (auto* probe = std::get_if<ProbeBody>(&input)) return monitor.on_probe(std::move(*probe));
  return monitor.on_time(std::get<TimePassed>(input).boot_ns);
}

std::string record_of(const Monitor::Settings& settings) {
  return capture_record(kSettings, payload_of(settings));
}

std::string record_of(const Input& input) {
  return capture_record(kInput, payload_of(input));
}

Result<Monitor::Settings> settings_of(const CaptureReader::Record& record) {
  return value_of<Monitor::Settings>(record, kSettings, "the settings a capture begins with");
}

Result<Input> input_of(const CaptureReader::Record& record) {
  return value_of<Input>(record, kInput, "an input");
}

}  // namespace aa
