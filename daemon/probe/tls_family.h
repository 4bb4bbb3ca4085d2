// probe/tls_family.h: the TLS family's programs: loaded over the shared maps, attached to libraries.
//
// Comes in: sizes before load, and libraries to attach to, each once by device and inode. Goes out: a ring for the
// source, and one ProbeBody a library. Attached stays attached while the file is there, whoever maps it: what runs in
// processes that nobody watches pays for a trap. Or by process: then libraries are only looked into beforehand, and
// attached to in each watched process by itself. A family that does not load is a state with a reason; everything else
// runs on.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/patience.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "event/event.h"
#include "probe/libbpf_handles.h"
#include "probe/mapped_map.h"
#include "probe/process_maps.h"
#include "probe/shared_maps.h"
#include "probe/tls_attacher.h"
#include "probe/tls_detacher.h"
#include "probe/tls_library.h"
#include "probe/tls_processes.h"

struct aa_tls_state;

namespace aa {

enum class TlsHooks { automatic, uprobe_multi, uprobe };  // automatic: the first of these that the kernel takes

struct TlsFamilySettings {
  bool on = true;
  std::uint32_t ring_bytes = 8u << 20;
  std::uint32_t call_bytes = 1u << 20;  // taken of one call at most
  std::uint32_t calls = 16'384;         // under way at once
  std::uint32_t connections = 16'384;   // living at once
  TlsHooks hooks = TlsHooks::automatic;
  TlsReturnProbes return_probes = TlsReturnProbes::makers;
  bool by_process = false;  // tls.scope: nobody but watched processes runs into a program
};

class TlsFamily {
 public:
  struct Counts {
    std::uint64_t attached = 0;  // by process: how often a library was attached to in one
    std::uint64_t took_ns = 0;   // all of them together
  };

  // Never fails as a whole: without programs, states() says why and ring_fd() is −1. When it runs, it is attached to
  // the function of tls_trial.h, for the self-test.
  static std::unique_ptr<TlsFamily> make(const TlsFamilySettings& settings, const SharedMaps& shared);
  ~TlsFamily();
  void detach();  // from all files, for good

  bool runs() const { return object_ != nullptr; }
  int ring_fd() const;

  // library: attached to everything of the file that has programs; there is a state more, which says which places were
  // chosen, or why a file with a TLS library's name cannot be attached to. nothing: it is no TLS library, or was met
  // before. not_read: for want of descriptors or memory, because its process is gone, or because its file system does
  // not answer; ask again when it is met again. `name` is for people. Cost: 5 to 20 ms. By process nobody is attached
  // to yet.
  enum class Found { nothing, library, not_read };
  Found attach(const std::string& path, const std::string& name);
  bool is_by_process() const { return processes_ != nullptr; }
  // By process: attaches to a library met before, in a watched process that has it mapped. The kernel goes on with that
  // when the process executes another program, unless a thread that was not its first did so: then it is attached to
  // again. True: something was attached. Cost: 5 to 20 ms, a few system calls when nothing is to be done.
  bool attach_in(std::uint32_t pid, const ExecutableMapping& mapping);
  bool is_attached_in(const ProcessId& process) const { return processes_ && processes_->has(process); }
  std::vector<FileNumbers> attached_in(const ProcessId& process) const;
  void let_go(const ProcessId& process);  // it has ended
  void let_go_of_unwatched();
  // Somebody is not watched any more, or not by whom he was: what he says until he is again nobody hears, and what
  // forks have of his connections is not told from its start. Cost: two system calls for each connection.
  void forget_starts();
  std::optional<ProcessId> watched(std::uint32_t pid) const;  // nullopt: it is not
  Counts counts() const { return counts_; }
  // A file that is rewritten in place is let go of at once, for its functions may lie elsewhere now, and read again
  // when its writer has closed it, once a second at most. Readable when there is something to take, which may be a lot
  // for who leaves it for a while; −1 without programs.
  int changes_fd() const { return changes_->get(); }
  bool take_changes();  // true: a state has changed
  // When it wants to be called next; it reads one file, or attaches to one in one process. What it returns nobody
  // heard.
  std::optional<std::uint64_t> next_rewritten() const;
  std::optional<LossBody> look_into_rewritten();
  // It could be attached to.
  bool carries(const std::string& path);
  // The file was met.
  bool knows(const std::string& path) const { return met_at(path).second != nullptr; }
  // How the file is attached to, by process in that one; nullopt when it is not known.
  std::optional<ProbeBody> state_in(std::uint32_t pid, const ExecutableMapping& mapping);
  // With which everything is asked of files that somebody else chose: their file system may be one that never answers.
  static constexpr std::size_t kMostLibraries = 2048;  // each is kept open, with a state, until we end
  bool has_room() const { return met_.size() < kMostLibraries; }
  static bool may_be_read_later(int error);  // not for what the file is, but for what is the case now
  Patience& patience() { return patience_; }

  // The sockets around calls are looked at only while something is watched.
  void set_watching(bool on);
  // The reader has read everything and goes to wait: the next record wakes it.
  void set_reader_idle();
  // Takes out what processes that are gone left behind. Cost: two system calls for each call and connection.
  void sweep(std::uint64_t now_boot_ns);
  // Attached is not firing: the self-test did not see its own bytes arrive.
  void mark_not_firing(const std::string& reason);

  std::vector<ProbeBody> states() const { return states_; }
  std::uint64_t recursion_misses() const;
  // Files that were executed or mapped, and were not to be found when they were to be looked into.
  void count_unseen(std::uint64_t files = 1) { unseen_ += files; }
  void tell_not_read(int error);
  void tell_too_many();                                     // files that a process has mapped
  bool take_news() { return std::exchange(news_, false); }  // a state has changed beside an attachment
  std::uint64_t unseen() const { return unseen_; }

 private:
  using ChangeTime = std::pair<std::int64_t, std::int64_t>;  // seconds, ns
  // A file that was met.
  struct Met {
    std::size_t state = 0;  // its place in states_
    UniqueFd file;          // O_PATH
    int watch = 0;          // inotify's number, or a negative errno
    // When it is rewritten:
    std::uint64_t unheard_since_ns = 0;  // 0: it is not
    bool is_closed = false;              // by its writer
    std::uint64_t written_ns = 0;        // to, last
    std::uint64_t noted_ns = 0;          // its place in rewritten_; 0: none
    TlsDetacher::Done detached;
    std::uint64_t read_ns = 0;         // again, last
    std::uint32_t rewritings = 0;      // after which it was read again
    std::optional<ChangeTime> change;  // as of its last reading; nullopt: nobody can tell
    bool is_troubled = false;          // by process: it could not be attached to in the last one
    bool unattached = false;           // for want of descriptors or memory: tried again when it is met again
    TlsLinks links;
    std::shared_ptr<const TlsLibrary> library;                     // as it was read last
    std::vector<std::pair<ProcessId, std::uint64_t>> interrupted;  // who had it when it was written to, or since

    // What is rewritten is read again by itself.
    bool may_be_attached() const { return unattached && unheard_since_ns == 0; }
  };
  TlsFamily() = default;
  Status open(const TlsFamilySettings& settings, const SharedMaps& shared);
  Status load(const TlsFamilySettings& settings, const SharedMaps& shared, bool sockets);
  Status try_out();
  Status attach_trial(const char* end, std::uint64_t end_offset);
  using MetFile = std::pair<const FileNumbers, Met>;
  void tell_no_room();
  MetFile* meet(const std::string& path, const std::string& name);
  std::string free_name(const std::string& name, const FileNumbers& file) const;
  std::pair<FileNumbers, const Met*> met_at(const std::string& path) const;
  Result<std::optional<TlsLibrary>> read(const std::string& path, std::uint32_t rewritings = 0);
  TlsAttacher::Attached attach_to(const std::shared_ptr<const TlsLibrary>& library, std::uint32_t pid);
  void listen(Met& met, Result<std::optional<TlsLibrary>> library);
  static void tell_places(ProbeBody& state, const TlsLibrary& library);
  static void tell_unwatched(ProbeBody& state, int watch);
  void tell_not_firing(ProbeBody& state) const;
  bool attach_in(const ProcessId& process, const FileNumbers& file, const std::shared_ptr<const TlsLibrary>& library);
  void note_interrupted(const FileNumbers& file, const ProcessId& process);
  bool is_trapped(std::uint32_t pid, const ExecutableMapping& mapping,
                  const std::shared_ptr<const TlsLibrary>& library);
  void tell_in(const ProcessId& process, const FileNumbers& file, const std::optional<Error>& trouble);
  static void tell_passed_by(ProbeBody& state);
  static void tell_standby(ProbeBody& state, const TlsLibrary& library);
  static std::optional<ChangeTime> change_of(const UniqueFd& file);
  bool take_change(MetFile& one, std::uint32_t mask, std::uint64_t now);
  void let_go_of(const FileNumbers& file, Met& met, std::uint64_t now);
  void go_on_at(MetFile& one, std::uint64_t boot_ns);
  void look_at_all(std::uint64_t now);
  std::uint64_t go_on_with_next(std::uint64_t now);
  std::uint64_t read_again(MetFile& one, std::uint64_t now);
  std::uint64_t attach_to_next(MetFile& one, std::uint64_t now);
  std::optional<int> attach_again(const ProcessId& process, const FileNumbers& file,
                                  const std::shared_ptr<const TlsLibrary>& library);
  void sweep_calls();
  void sweep_connections(std::uint64_t now_boot_ns);
  bool is_gone(std::uint32_t tgid, std::uint64_t start_ns) const;
  bool goes_on_unheard(std::uint32_t tgid, const aa_tls_state& state) const;
  int map_fd(const char* name) const;

  std::shared_ptr<bpf_object> object_;
  TlsAttacher attacher_;
  Patience patience_;
  MappedMap settings_map_;
  bool multi_ = false;
  TlsReturnProbes return_probes_ = TlsReturnProbes::makers;
  TlsLinks trial_links_;
  std::vector<LinkPtr> socket_links_;
  std::shared_ptr<UniqueFd> changes_ = std::make_shared<UniqueFd>();
  std::map<FileNumbers, Met> met_;
  std::map<int, MetFile*> watches_;                          // by inotify's number
  std::set<std::pair<std::uint64_t, MetFile*>> rewritten_;   // by when to go on with each
  std::uint64_t rest_until_ns_ = 0;                          // nothing is read again before
  std::uint64_t look_at_all_ns_ = 0, looked_at_all_ns_ = 0;  // changes were lost: 0, or when to look for them
  std::unique_ptr<TlsDetacher> detacher_;
  std::unique_ptr<TlsProcesses> processes_;  // null: not by process
  std::vector<ProbeBody> states_;
  std::string not_firing_;
  bool not_read_ = false;  // it was said that some file was not
  bool too_many_ = false;  // it was said
  bool no_room_ = false;   // it was said
  Counts counts_;
  std::uint64_t unseen_ = 0;
  bool watching_ = false;
  bool news_ = false;
};

}  // namespace aa
