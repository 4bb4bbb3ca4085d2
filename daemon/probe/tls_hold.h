// probe/tls_hold.h: holding processes that map what nobody has looked into yet (tls.hold_new_library).
//
// Comes in: what the program of bpf/hold.bpf.c says, by way of the guard. Goes out: processes that stand still and can
// be looked into, which are then let go. What cannot be held is a state with a reason, and goes on unheld.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "event/event.h"
#include "probe/hold_guard.h"
#include "probe/libbpf_handles.h"
#include "probe/shared_maps.h"

namespace aa {

class TlsHold {
 public:
  struct Held {
    std::uint32_t pid = 0;
    std::uint64_t since_ns = 0;  // boot time of the first mapping
  };
  struct Counts {
    std::uint64_t held = 0;    // processes that were to be held
    std::uint64_t missed = 0;  // of those, not held until they had been looked into
  };

  // Never fails as a whole: state() says why nobody is held.
  static std::unique_ptr<TlsHold> make(std::unique_ptr<HoldGuard> guard, const SharedMaps& shared);

  // Processes are held from now on. Not before somebody looks for them: a start's own self-test maps files too.
  void begin() { guard_->begin(); }
  // Readable when there is something to take; −1 when nobody is held.
  int fd() const { return runs() ? guard_->fd() : -1; }
  // False: there is nothing to take any more; the state has changed.
  bool take();
  // Processes that stand still now, were let go of in the meantime, or do not come to a stop: each once.
  std::vector<Held> ready();
  // Some of these wait for another turn.
  void look_soon() { look_at_ = 1; }
  // When ready() may have more; nullopt: when there is something to take.
  std::optional<std::uint64_t> next_deadline() const;
  // The process stands still, or will at once, and was not looked into.
  bool holds(std::uint32_t pid) const;
  // What the process mapped was looked into, and holds nobody any more; but for files that are looked for in each
  // process. False: it had been let go of before, without that.
  bool let_go(std::uint32_t pid, const std::function<bool(const aa_hold_file&)>& is_of_each_process);

  // Programs on system calls rest while nothing is watched.
  void set_watching(bool on);
  bool runs() const { return set_ != nullptr; }
  const ProbeBody& state() const { return state_; }
  Counts counts() const { return counts_; }

 private:
  struct Waiting {
    std::uint64_t since_ns = 0;
    std::vector<aa_hold_file> files;
  };
  struct Set;
  TlsHold() = default;
  Status open(const Set& set, const SharedMaps& shared);
  Status attach();
  void know(const aa_hold_file& file);
  bool was_held_since(std::uint32_t pid, std::uint64_t ns) const;
  void note_held(std::uint32_t pid, std::uint64_t until_ns);

  std::unique_ptr<HoldGuard> guard_;
  std::unique_ptr<bpf_object, void (*)(bpf_object*)> object_{nullptr, &bpf_object__close};
  const Set* set_ = nullptr;  // the one that runs
  std::vector<LinkPtr> links_;
  ProbeBody state_;
  std::map<std::uint32_t, Waiting> waiting_;           // by pid; until let go
  std::map<std::uint32_t, std::uint64_t> held_until_;  // boot time; of the last seconds
  std::uint64_t look_at_ = 0;                          // boot time; 0: nobody waits
  Counts counts_;
};

}  // namespace aa
