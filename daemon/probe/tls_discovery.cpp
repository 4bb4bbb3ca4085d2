#include "probe/tls_discovery.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/file_text.h"
#include "probe/tls_stacks.h"

namespace aa {
namespace {

constexpr std::size_t kMostMet = 65'536;   // then files are looked into again
constexpr std::size_t kMostSought = 1024;  // of one process, until it is looked into
constexpr std::size_t kMostLooked = 4096;  // processes, of which those that do not wait are forgotten then
constexpr std::size_t kMostAtOnce = 32;    // processes whose mappings are open at once
// In one call: others wait for an answer meanwhile. Who is enrolled has longer, for until then nothing was promised.
constexpr std::uint64_t kTurnNs = 50'000'000, kProcessNs = 250'000'000, kCallNs = 1'000'000'000;
constexpr std::uint64_t kReadingRests = 4;  // times as long as one that took longer: a fifth of the time for all
constexpr std::uint64_t kEndToldWithinNs = 10'000'000'000;
constexpr std::uint32_t kProtExec = 4;
constexpr std::uint64_t kResolveCached = 0x20;  // RESOLVE_CACHED, which older headers do not have
constexpr const char* kUnknown = "unknown";

std::string root_of(std::uint32_t pid) {
  return "/proc/" + std::to_string(pid) + "/root";
}

// Its process has too many.
bool is_left_out(const ExecutableMapping& mapping) {
  return mapping.error == E2BIG;
}

ProcessRef known_by(const ProcessId& id) {
  ProcessRef process;
  process.id = id;
  return process;
}

// False: it has ended. Nobody is asked.
bool has_root(std::uint32_t pid) {
  char first = 0;
  return ::readlink(root_of(pid).c_str(), &first, 1) > 0;
}

// A child of vfork, until it goes on with another program. False as well when nobody can tell.
bool share_memory(std::uint32_t one, std::uint32_t other) {
  return ::syscall(SYS_kcmp, one, other, KCMP_VM, 0, 0) == 0;
}

}  // namespace

// As the kernel has it already: nobody is asked about a file that is open (the links of /proc lead there by
// themselves).
std::optional<TlsDiscovery::Found> TlsDiscovery::found_at(const std::string& link) {
  struct statx status {};
  if (::statx(AT_FDCWD, link.c_str(), AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &status) != 0 || status.stx_ino == 0)
    return std::nullopt;
  const std::uint32_t dev = status.stx_dev_major << 20 | status.stx_dev_minor;
  return Found{{dev, status.stx_ino}, {status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec}};
}

// On the way there somebody may have to be asked: then on a thread, and not while somebody is waited for. What the
// kernel knows by itself (Linux 5.12 and later) needs none, which a busy machine would take long to come to.
std::optional<TlsDiscovery::Named> TlsDiscovery::found_by_name(const std::string& path) const {
  if (auto named = found_resolved(path, kResolveCached)) return named;
  if (errno == ENOENT || tls_.patience().is_waited_for()) return std::nullopt;
  auto named = tls_.patience().ask([path] { return found_resolved(path, 0); });
  return named ? std::move(*named) : std::nullopt;
}

std::optional<TlsDiscovery::Named> TlsDiscovery::found_resolved(const std::string& path, std::uint64_t resolve) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = resolve;
  UniqueFd file(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how))));
  const auto found = file ? found_at(link_to(file)) : std::nullopt;
  return found ? std::optional(Named{*found, std::move(file)}) : std::nullopt;
}

bool TlsDiscovery::is_silent(std::uint32_t dev) {
  if (!tls_.patience().is_waited_for()) silent_.clear();
  return silent_.contains(dev);
}

// Null: it was met before, or is gone. A file that took the numbers of one that is gone was changed since. What an
// overlay has goes by other numbers in the kernel: then those that the path shows name it.
TlsDiscovery::Met* TlsDiscovery::newly_met(Key key, const std::string& path) {
  const auto found = found_at(path);
  if (!found) return nullptr;
  if (found->key.second != key.second) key = found->key;
  if (met_.size() >= kMostMet) met_.clear();
  const auto [place, is_first] = met_.try_emplace(key, Met{found->change});
  const bool is_changed = std::exchange(place->second.change, found->change) != found->change;
  return is_first || is_changed ? &place->second : nullptr;
}

// True: something was attached, or is by process to be.
bool TlsDiscovery::meet(const Key& key, const std::string& path, const std::string& name) {
  const std::uint64_t before = tls_.patience().given_up();
  const bool silent = is_silent(key.first);
  const bool attached = !silent && meet_answering(key, path, name);
  const bool gave_up = tls_.patience().given_up() != before;
  if (gave_up) silent_.insert(key.first);
  if (gave_up) tls_.tell_not_read(ETIMEDOUT);
  if (gave_up || silent) tls_.count_unseen();
  return attached;
}

bool TlsDiscovery::meet_answering(const Key& key, const std::string& path, const std::string& name) {
  Met* met = newly_met(key, path);
  if (met == nullptr) return false;
  const TlsFamily::Found found = tls_.attach(path, name);
  met->library = found == TlsFamily::Found::library || tls_.knows(path);
  if (found == TlsFamily::Found::not_read) met->change = {};  // as if it had been changed since
  return found == TlsFamily::Found::library;
}

// What its process does not show any more, because it is gone, has unmapped it or goes on with another program: by its
// name, where the process was, as long as it names the same file. True: it carries a library that nobody has listened
// to there.
bool TlsDiscovery::meet_by_name(const Key& key, const ProcessRef& process, const std::string& name) {
  for (const std::string& root : {root_of(process.parent.pid), std::string()}) {
    const auto found = found_by_name(root + name);
    if (!found || found->found.key != key) continue;
    return meet(key, link_to(found->file), name) || (tls_.is_by_process() && carries_tls(key));
  }
  tls_.count_unseen();
  return false;
}

// By process: it was attached to in time, and has ended since. Its end may be told before what it mapped.
bool TlsDiscovery::is_heard(const ProcessId& process, const Key& key) const {
  constexpr std::uint32_t kMinorBits = 20, kMinor = (1u << kMinorBits) - 1;
  const FileNumbers file{gnu_dev_makedev(key.first >> kMinorBits, key.first & kMinor), key.second};
  const auto ended = ended_.find(process);
  const std::vector<FileNumbers> heard = ended != ended_.end() ? ended->second.heard : tls_.attached_in(process);
  return std::find(heard.begin(), heard.end(), file) != heard.end();
}

void TlsDiscovery::note_ended(const ProcessId& process) {
  const std::uint64_t now = boot_ns();
  std::erase_if(ended_, [&](const auto& one) { return one.second.boot_ns + kEndToldWithinNs < now; });
  ended_[process] = {now, tls_.attached_in(process)};
}

bool TlsDiscovery::carries_tls(const Key& key) const {
  const auto found = met_.find(key);
  return found != met_.end() && found->second.library;
}

// One that is gone may have left its numbers to another: the name has to lead to that very file, unchanged. In our own
// tree nobody is asked; the process's may be another. Where nobody can look it is taken for the one that was met.
bool TlsDiscovery::is_known(const FileBody& file, std::uint32_t pid) const {
  const auto met = met_.find({file.dev, file.ino});
  if (met == met_.end() || (tls_.is_by_process() && met->second.library)) return false;
  if (!file.at.path.starts_with('/')) return true;
  const auto here = found_resolved(file.at.path, kResolveCached);
  if (here && here->found.key.second == file.ino) return here->found.change == met->second.change;
  if (tls_.patience().is_waited_for() || !has_root(pid)) return true;
  const auto there = found_by_name(root_of(pid) + file.at.path);
  return there && there->found.key.second == file.ino && there->found.change == met->second.change;
}

bool TlsDiscovery::is_of_each_process(const aa_hold_file& file) const {
  return tls_.is_by_process() && carries_tls({file.dev, file.ino});
}

std::optional<LossBody> TlsDiscovery::saw(const Event& event) {
  if (!tls_.runs() || !event.process) return std::nullopt;
  const bool attached = tls_.is_by_process() ? saw_process(event) : saw_file(event);
  if (!attached) return std::nullopt;
  return LossBody{"tls", "late-attach", 0, event.boot_ns, boot_ns()};
}

bool TlsDiscovery::saw_file(const Event& event) {
  if (const auto* file = std::get_if<FileBody>(&event.body)) return saw_mapping(*file, event);
  const auto* exec = std::get_if<ExecBody>(&event.body);
  if (exec == nullptr || exec->result < 0 || is_held(event.process->id.pid)) return false;
  const Key key{exec->exe_dev, exec->exe_ino};
  const std::string link = "/proc/" + std::to_string(event.process->id.pid) + "/exe";
  const auto shown = found_at(link);
  const bool is_it = shown && (shown->key == key || link_text(link) == event.process->exe);
  return is_it ? meet(key, link, event.process->exe) : meet_by_name(key, *event.process, event.process->exe);
}

bool TlsDiscovery::saw_mapping(const FileBody& file, const Event& event) {
  const bool maps = file.op == FileOp::mmap || file.op == FileOp::mprotect;
  const bool executable = maps && file.flags && (*file.flags & kProtExec) != 0;
  if (!executable || file.result < 0 || is_known(file, event.process->id.pid) || is_held(event.process->id.pid))
    return false;
  return look_for({file.dev, file.ino}, file.at.path, event);
}

// Into the file that its name leads to; if that is another, into all that the process has mapped.
bool TlsDiscovery::look_for(const Key& key, const std::string& name, const Event& event) {
  const ProcessRef& process = *event.process;
  const auto named = tls_.is_by_process() ? std::nullopt : found_by_name(root_of(process.id.pid) + name);
  if (named && named->found.key == key) return meet(key, link_to(named->file), name);
  const Looked& looked = looked_of(process.id);
  if (looked.since_ns == 0 && boot_ns() >= looked.again_ns && !rests())
    return look_for({0, process, event.boot_ns, {{key, name}}, true});
  Looked& waiting = wait(process, event.boot_ns, looked.again_ns);
  waiting.is_all = true;
  wait_for(waiting, key, name);
  return false;
}

void TlsDiscovery::keep_sought(ExecutableMappings& mappings, const Sought& sought) {
  std::set<std::string_view> names;
  for (const auto& [key, name] : sought) names.insert(name);
  std::erase_if(mappings, [&](const ExecutableMapping& one) {
    return !is_left_out(one) && !sought.contains({one.dev, one.ino}) && !names.contains(one.name);
  });
}

// And into those of these files that are not among that; as far as there is time.
bool TlsDiscovery::look_for(const Looked& what) {
  constexpr std::uint64_t kShare = 10, kMostNs = 1'000'000'000;
  const ProcessRef& process = what.process;
  const std::uint64_t began = boot_ns();
  ExecutableMappings mappings = mapped_by(process.id.pid);
  const bool has_ended = mappings.empty();
  std::set<Key> keys;
  std::set<std::string> names;
  for (const ExecutableMapping& one : mappings) {
    keys.emplace(one.dev, one.ino);
    if (!is_left_out(one)) names.insert(one.name);
  }
  if (!what.is_all) keep_sought(mappings, what.sought);
  const std::uint64_t read = boot_ns(), until = read + kTurnNs;
  if (has_ended && what.sought.empty() && !silent_processes_.contains(process.id.pid))
    tls_.count_unseen();  // nobody knows what it had mapped
  bool attached = false;
  Sought rest = look_into_some(until, process.id.pid, mappings, attached);
  for (const auto& [key, name] : what.sought) {
    if (keys.contains(key) || names.contains(name) || is_heard(process.id, key)) continue;
    if (boot_ns() >= until)
      rest.emplace(key, name);
    else
      attached = meet_by_name(key, process, name) || attached;
  }
  const std::uint64_t now = boot_ns();
  // What was attached to was worth its time.
  const std::uint64_t rests_ns = std::min(kMostNs, kShare * ((attached ? read : now) - began));
  if (!rest.empty()) {
    wait_for_rest(process, what.since_ns, rest);
  } else if (!has_ended) {
    looked_of(process.id).again_ns = now + rests_ns;
  }
  return attached;
}

TlsDiscovery::Looked& TlsDiscovery::looked_of(const ProcessId& process) {
  if (looked_.size() >= kMostLooked) std::erase_if(looked_, [](const auto& one) { return one.second.since_ns == 0; });
  return looked_[process];
}

// Who waits already goes on to.
TlsDiscovery::Looked& TlsDiscovery::wait(const ProcessRef& process, std::uint64_t since_ns, std::uint64_t until_ns) {
  Looked& looked = looked_of(process.id);
  if (looked.since_ns != 0) return looked;
  looked.process = process;
  looked.since_ns = std::max<std::uint64_t>(since_ns, 1);
  go_on_at(looked, process.id, until_ns);
  return looked;
}

void TlsDiscovery::go_on_at(Looked& looked, const ProcessId& process, std::uint64_t boot_ns) {
  waiting_.erase({looked.again_ns, process});
  looked.again_ns = boot_ns;
  waiting_.emplace(boot_ns, process);
}

void TlsDiscovery::wait_for_rest(const ProcessRef& process, std::uint64_t since_ns, const Sought& rest) {
  Looked& waiting = wait(process, since_ns, boot_ns());
  for (const auto& [key, name] : rest) wait_for(waiting, key, name);
}

void TlsDiscovery::wait_for(Looked& looked, const Key& key, const std::string& name) {
  if (looked.sought.size() < kMostSought)
    looked.sought.emplace(key, name);
  else
    tls_.count_unseen();  // nobody knows whether it is still mapped then
}

std::optional<std::uint64_t> TlsDiscovery::next_waiting() const {
  if (waiting_.empty()) return std::nullopt;
  return std::max(waiting_.begin()->first, rests_until_ns_);
}

std::optional<LossBody> TlsDiscovery::look_into_waiting() {
  constexpr std::uint64_t kHeldNs = 10'000'000;
  if (waiting_.empty()) return std::nullopt;
  const ProcessId process = waiting_.begin()->second;
  waiting_.erase(waiting_.begin());
  Looked& looked = looked_[process];
  if (is_held(process.pid)) return go_on_at(looked, process, boot_ns() + kHeldNs), std::nullopt;
  const Looked one = std::exchange(looked, {});
  if (!look_for(one)) return std::nullopt;
  return LossBody{"tls", "late-attach", 0, one.since_ns, boot_ns()};
}

bool TlsDiscovery::saw_process(const Event& event) {
  const ProcessId& process = event.process->id;
  if (const auto* file = std::get_if<FileBody>(&event.body)) return saw_mapping(*file, event);
  if (const auto* fork = std::get_if<ForkBody>(&event.body)) {
    forked_.push_back({fork->child.pid, process.pid, event.boot_ns, tls_.is_attached_in(process)});
    return false;
  }
  const auto* exec = std::get_if<ExecBody>(&event.body);
  if (exec != nullptr && exec->result < 0) return false;
  if (std::holds_alternative<ExitBody>(event.body)) return saw_end(process);
  if (exec != nullptr) {
    std::erase_if(forked_, [&](const Forked& one) { return one.child == process.pid; });
    ended_forks_.erase(process.pid);
    has_other_mappings(process);
    return !is_held(process.pid) && look_for({exec->exe_dev, exec->exe_ino}, event.process->exe, event);
  }
  return std::holds_alternative<AdoptedBody>(event.body) && !is_held(process.pid) &&
         look_into_until(boot_ns() + kTurnNs, process.pid, event.boot_ns, mapped_by(process.pid));
}

void TlsDiscovery::has_other_mappings(const ProcessId& process) {
  Looked& looked = looked_of(process);
  if (looked.since_ns == 0)
    looked.again_ns = 0;
  else
    go_on_at(looked, process, boot_ns());
}

// True: a fork that nobody has looked into, of a process that was listened to.
bool TlsDiscovery::saw_end(const ProcessId& process) {
  if (tls_.is_attached_in(process)) note_ended(process);
  tls_.let_go(process);
  const auto same = [&](const Forked& one) { return one.child == process.pid; };
  const auto unheard = std::find_if(forked_.begin(), forked_.end(), same);
  const auto ended = ended_forks_.extract(process.pid);
  const bool was_heard =
      (unheard != forked_.end() && unheard->parent_is_heard) || (ended && ended.mapped().parent_is_heard);
  std::erase_if(forked_, same);
  return was_heard;
}

std::vector<LossBody> TlsDiscovery::take_forked() {
  const std::uint64_t now = boot_ns(), until = now + kTurnNs;
  std::erase_if(ended_forks_, [&](const auto& one) { return one.second.boot_ns + kEndToldWithinNs < now; });
  std::vector<LossBody> unheard;
  auto next = forked_.begin();
  for (; next != forked_.end() && boot_ns() < until; ++next)
    if (!share_memory(next->child, next->parent) && !is_held(next->child) && look_into_fork(until, *next))
      unheard.push_back({"tls", "late-attach", 0, next->boot_ns, boot_ns()});
  forked_.erase(forked_.begin(), next);
  return unheard;
}

// When it has ended that is told yet, or first that it went on with another program.
bool TlsDiscovery::look_into_fork(std::uint64_t until_ns, const Forked& fork) {
  const auto process = tls_.watched(fork.child);
  if (process && rests()) {
    wait(known_by(*process), fork.boot_ns, boot_ns()).is_all = true;
    return false;
  }
  ExecutableMappings mappings = process ? mapped_by(fork.child) : ExecutableMappings();
  if (mappings.empty() && !silent_processes_.contains(fork.child))
    ended_forks_[fork.child] = {fork.child, fork.parent, boot_ns(), fork.parent_is_heard};
  return look_into_until(until_ns, fork.child, fork.boot_ns, std::move(mappings));
}

// Who does not answer is not asked again until somebody has: nothing of it is looked into.
std::optional<ExecutableMappings> TlsDiscovery::ask_for_mapped(std::uint32_t pid) {
  if (!tls_.patience().is_waited_for()) silent_processes_.clear();
  std::optional<ExecutableMappings> mappings;
  const std::uint64_t began = boot_ns();
  if (!silent_processes_.contains(pid)) mappings = tls_.patience().ask([pid] { return executable_mappings_of(pid); });
  if (!mappings) silent_processes_.insert(pid);
  rest_after(boot_ns() - began);
  return mappings;
}

bool TlsDiscovery::rests() const {
  return boot_ns() < rests_until_ns_;
}

// Who has tens of thousands of files mapped, of names as long as can be, is read for seconds, by whoever waits
// meanwhile.
void TlsDiscovery::rest_after(std::uint64_t took_ns) {
  if (took_ns > kProcessNs) rests_until_ns_ = boot_ns() + kReadingRests * took_ns;
}

ExecutableMappings TlsDiscovery::mapped_by(std::uint32_t pid) {
  auto mappings = ask_for_mapped(pid);
  if (mappings) return std::move(*mappings);
  tls_.tell_not_read(ETIMEDOUT);
  tls_.count_unseen();
  return {};
}

bool TlsDiscovery::look_into(std::uint32_t pid, std::uint64_t since_ns) {
  return tls_.runs() && look_into_until(boot_ns() + kCallNs, pid, since_ns, mapped_by(pid));
}

// But for those that are held: they are looked into when they stand still.
bool TlsDiscovery::look_into(std::vector<std::uint32_t> pids, std::uint64_t since_ns) {
  std::erase_if(pids, [this](std::uint32_t pid) { return is_held(pid); });
  if (!tls_.runs()) return false;
  const std::uint64_t until = boot_ns() + kCallNs;
  bool attached = false;
  std::size_t done = 0;
  for (; done < pids.size() && boot_ns() < until; done += kMostAtOnce) {
    const auto begin = pids.begin() + static_cast<std::ptrdiff_t>(done);
    const std::size_t count = std::min(kMostAtOnce, pids.size() - done);
    attached =
        look_into_until(until, std::vector(begin, begin + static_cast<std::ptrdiff_t>(count)), since_ns) || attached;
  }
  for (; done < pids.size(); ++done)
    if (const auto process = tls_.watched(pids[done])) wait(known_by(*process), since_ns, boot_ns()).is_all = true;
  return attached;
}

// All at once, for a turn of two threads takes a busy machine long; each by itself when one of them does not answer.
bool TlsDiscovery::look_into_until(std::uint64_t until_ns, const std::vector<std::uint32_t>& pids,
                                   std::uint64_t since_ns) {
  auto all = tls_.patience().ask([pids] { return executable_mappings_of(pids); });
  bool attached = false;
  for (std::size_t i = 0; i < pids.size(); ++i) {
    ExecutableMappings mappings = all ? std::move((*all)[i]) : mapped_by(pids[i]);
    const std::uint64_t until = std::min(until_ns, boot_ns() + kProcessNs);
    attached = look_into_until(until, pids[i], since_ns, std::move(mappings)) || attached;
  }
  return attached;
}

bool TlsDiscovery::look_into_until(std::uint64_t until_ns, std::uint32_t pid, std::uint64_t since_ns,
                                   ExecutableMappings mappings) {
  bool attached = false;
  const Sought rest = look_into_some(until_ns, pid, mappings, attached);
  if (rest.empty()) return attached;
  if (const auto process = tls_.watched(pid))
    wait_for_rest(known_by(*process), since_ns, rest);
  else
    tls_.count_unseen(rest.size());  // it has ended: nobody knows what it still had mapped
  return attached;
}

TlsDiscovery::Sought TlsDiscovery::look_into_some(std::uint64_t until_ns, std::uint32_t pid,
                                                  ExecutableMappings& mappings, bool& attached) {
  Sought rest;
  std::size_t left_out = 0;
  for (ExecutableMapping& mapping : mappings) {
    if (is_left_out(mapping)) {
      ++left_out;
      continue;
    }
    if (boot_ns() >= until_ns) {
      rest.emplace(Key(mapping.dev, mapping.ino), mapping.name);
      continue;
    }
    if (TlsFamily::may_be_read_later(mapping.error)) tls_.tell_not_read(mapping.error);
    attached = meet({mapping.dev, mapping.ino}, link_to(*mapping.file), mapping.name) || attached;
    if (tls_.is_by_process()) attached = tls_.attach_in(pid, mapping) || attached;
    mapping.file.reset();
  }
  if (left_out > 0) count_left_out(pid, left_out);
  return rest;
}

// Those of before were counted then.
void TlsDiscovery::count_left_out(std::uint32_t pid, std::size_t files) {
  if (left_out_.size() >= kMostLooked) left_out_.clear();
  std::size_t& counted = left_out_[pid];
  if (files > counted) tls_.count_unseen(files - counted);
  counted = files;
  tls_.tell_too_many();
}

std::vector<TlsStack> TlsDiscovery::explain(std::uint32_t pid) {
  std::vector<TlsStack> stacks;
  const auto mappings = ask_for_mapped(pid);
  if (!mappings) return {{"", kUnknown, "its memory does not answer"}};
  if (mappings->empty()) stacks.push_back({"", kUnknown, "what it has mapped cannot be read from /proc"});
  if (std::any_of(mappings->begin(), mappings->end(), is_left_out))
    stacks.push_back({"", kUnknown, "it has more files mapped to be executed than are looked into"});
  for (const ExecutableMapping& mapping : *mappings) {
    if (is_left_out(mapping)) continue;
    const std::uint64_t before = tls_.patience().given_up();
    const bool silent = is_silent(mapping.dev);
    std::optional<TlsStack> stack = silent ? std::nullopt : explain_file(pid, mapping);
    const bool gave_up = tls_.patience().given_up() != before;
    if (gave_up) silent_.insert(mapping.dev);
    if (gave_up || silent) stack = TlsStack{mapping.name, kUnknown, "its file system does not answer"};
    if (stack) stacks.push_back(std::move(*stack));
  }
  return stacks;
}

std::optional<TlsStack> TlsDiscovery::explain_file(std::uint32_t pid, const ExecutableMapping& mapping) {
  if (const auto state = tls_.state_in(pid, mapping))
    return TlsStack{mapping.name, std::string(name_of(state->state)), state->reason};
  const auto found = found_at(link_to(*mapping.file));
  if (!found) return TlsStack{mapping.name, kUnknown, "it cannot be opened through /proc"};
  const std::string stack = stack_in(*found, mapping);
  if (stack.empty()) return std::nullopt;
  if (tls_.carries(link_to(*mapping.file)))
    return TlsStack{
        mapping.name, kUnknown,
        tls_.has_room() ? "it has not been looked into yet" : "more libraries than are listened to are known"};
  return TlsStack{mapping.name, "not-covered", stack};
}

std::string TlsDiscovery::stack_in(const Found& found, const ExecutableMapping& mapping) {
  if (stacks_.size() >= kMostMet) stacks_.clear();
  const auto [place, is_first] = stacks_.try_emplace(found.key);
  auto& [change, stack] = place->second;
  if (is_first || change != found.change) {
    const auto read = [mapping] { return uncovered_stack(mapping.name, link_to(*mapping.file)); };
    const auto answer = tls_.patience().ask(read);
    stack = answer.value_or("");
    change = answer ? found.change : Change();  // who did not answer is asked again
  }
  return stack;
}

}  // namespace aa
