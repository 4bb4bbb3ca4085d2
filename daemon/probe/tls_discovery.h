// probe/tls_discovery.h: TLS libraries that watched processes bring along: found, attached to, explained.
//
// Comes in: enrolled processes, and events that show a file being executed or mapped to be. Goes out: attachments of
// the TLS family, and what a first use may have cost. Each file is looked into once, by the kernel's own pair of device
// and inode; by process, each process that has a library mapped is attached to, and so is each fork that does not go on
// with another program at once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "event/event.h"
#include "probe/process_maps.h"
#include "probe/tls_family.h"
#include "probe/tls_hold.h"
#include "state/explain.h"

namespace aa {

class TlsDiscovery {
 public:
  // `hold`: null when nobody is held.
  TlsDiscovery(TlsFamily& tls, const TlsHold* hold) : tls_(tls), hold_(hold) {}

  // A file never met before carries a library, or by process one is mapped: from its first use until now nobody
  // listened, which is what is returned. Not of a process that is held: that one is looked into when it stands still.
  // Cost: a system call for a file known already; else some short reads, and 5 to 20 ms to attach.
  std::optional<LossBody> saw(const Event& event);
  // The same of processes that forked and have not executed anything since, of some of them; asked for when no event is
  // waiting, as long as there are any.
  std::vector<LossBody> take_forked();
  bool has_forked() const { return !forked_.empty(); }

  // Who maps files one after the other that have no name has its mappings read a tenth of the time at most: meanwhile
  // they are noted. So is what there was no time for in one call, and while those rest whose mappings take long to be
  // read. When it wants to be called next, for one process; what is returned nobody heard.
  std::optional<std::uint64_t> next_waiting() const;
  std::optional<LossBody> look_into_waiting();

  // Everything a process has mapped, for a second at most: what is left then waits, and nobody will have heard of it
  // since `since_ns`. True: something was attached.
  bool look_into(std::uint32_t pid, std::uint64_t since_ns);
  bool look_into(std::vector<std::uint32_t> pids, std::uint64_t since_ns);

  // Whoever maps this file is attached to anew.
  bool is_of_each_process(const aa_hold_file& file) const;

  // What a living process has of TLS: libraries that are attached to, and stacks that nobody listens to, recognised by
  // their names and by what is in their files; and what cannot be read. Cost: reads each file once, up to 256 MiB of
  // it, at some GiB a second.
  std::vector<TlsStack> explain(std::uint32_t pid);

 private:
  using Key = std::pair<std::uint32_t, std::uint64_t>;
  using Change = std::pair<std::int64_t, std::int64_t>;  // when the file was changed last: seconds, ns
  struct Met {
    Change change;
    bool library = false;
  };
  struct Forked {
    std::uint32_t child = 0, parent = 0;
    std::uint64_t boot_ns = 0;
    bool parent_is_heard = false;
  };
  struct Ended {
    std::uint64_t boot_ns = 0;
    std::vector<FileNumbers> heard;
  };
  struct Found {
    Key key;
    Change change;
  };
  using Sought = std::map<Key, std::string>;  // files that a process has mapped, and their names
  struct Looked {
    std::uint64_t again_ns = 0;  // its mappings are not read before
    ProcessRef process = {};     // who waits, since when, and what for
    std::uint64_t since_ns = 0;  // 0: it does not
    Sought sought = {};
    bool is_all = false;  // and for whatever else it has mapped by then
  };
  // nullopt: none, or no answer.
  static std::optional<Found> found_at(const std::string& link);
  struct Named {
    Found found;
    UniqueFd file;  // O_PATH
  };
  std::optional<Named> found_by_name(const std::string& path) const;
  static std::optional<Named> found_resolved(const std::string& path, std::uint64_t resolve);
  bool meet(const Key& key, const std::string& path, const std::string& name);
  bool meet_by_name(const Key& key, const ProcessRef& process, const std::string& name);
  bool carries_tls(const Key& key) const;
  bool is_heard(const ProcessId& process, const Key& key) const;
  void note_ended(const ProcessId& process);
  Met* newly_met(Key key, const std::string& path);
  bool meet_answering(const Key& key, const std::string& path, const std::string& name);
  bool is_silent(std::uint32_t dev);
  std::optional<TlsStack> explain_file(std::uint32_t pid, const ExecutableMapping& mapping);
  std::string stack_in(const Found& found, const ExecutableMapping& mapping);
  bool saw_file(const Event& event);
  bool saw_process(const Event& event);
  bool saw_end(const ProcessId& process);
  void has_other_mappings(const ProcessId& process);
  bool saw_mapping(const FileBody& file, const Event& event);
  bool look_for(const Key& key, const std::string& name, const Event& event);
  bool look_for(const Looked& what);
  bool look_into_fork(std::uint64_t until_ns, const Forked& fork);
  static void keep_sought(ExecutableMappings& mappings, const Sought& sought);
  Looked& wait(const ProcessRef& process, std::uint64_t since_ns, std::uint64_t until_ns);
  void wait_for(Looked& looked, const Key& key, const std::string& name);
  void wait_for_rest(const ProcessRef& process, std::uint64_t since_ns, const Sought& rest);
  void go_on_at(Looked& looked, const ProcessId& process, std::uint64_t boot_ns);
  Looked& looked_of(const ProcessId& process);
  void count_left_out(std::uint32_t pid, std::size_t files);
  std::optional<ExecutableMappings> ask_for_mapped(std::uint32_t pid);
  bool rests() const;
  void rest_after(std::uint64_t took_ns);
  ExecutableMappings mapped_by(std::uint32_t pid);
  bool look_into_until(std::uint64_t until_ns, std::uint32_t pid, std::uint64_t since_ns, ExecutableMappings mappings);
  bool look_into_until(std::uint64_t until_ns, const std::vector<std::uint32_t>& pids, std::uint64_t since_ns);
  // Which of them there was no time for.
  Sought look_into_some(std::uint64_t until_ns, std::uint32_t pid, ExecutableMappings& mappings, bool& attached);
  bool is_known(const FileBody& file, std::uint32_t pid) const;
  bool is_held(std::uint32_t pid) const { return hold_ != nullptr && hold_->holds(pid); }

  TlsFamily& tls_;
  const TlsHold* hold_;
  std::map<Key, Met> met_;
  std::set<std::uint32_t> silent_;  // devices of file systems that did not answer; not asked again until they do
  std::set<std::uint32_t> silent_processes_;               // whose memory's lock was held for too long
  std::map<Key, std::pair<Change, std::string>> stacks_;   // that nobody listens to; found by explain()
  std::map<ProcessId, Ended> ended_;                       // by process; of the last seconds
  std::map<ProcessId, Looked> looked_;                     // whose mappings were read shortly ago
  std::set<std::pair<std::uint64_t, ProcessId>> waiting_;  // of these, by when they are read again
  std::map<std::uint32_t, std::size_t> left_out_;          // of a process's files, counted already
  std::vector<Forked> forked_;                             // by process; not looked into yet
  std::map<std::uint32_t, Forked> ended_forks_;            // of these, whose exec or end is told yet; by pid
  std::uint64_t rests_until_ns_ = 0;                       // somebody's mappings took long to read: others wait
};

}  // namespace aa
