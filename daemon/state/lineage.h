// state/lineage.h: who started whom, living and remembered.
//
// Comes in: processes by id, from events and from the task iterator. Goes out: ancestry and descendants. Pure: no BPF,
// no bus, no clock. A process is keyed by its id, never by pid alone; a pid is resolved once, at the edge.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "event/event.h"
#include "state/process_text.h"

namespace aa {

inline constexpr std::int32_t kAlive = -1;
inline constexpr std::int32_t kExitLost = -2;

// One process. Budget: at most 512 bytes a remembered process, text apart (a test measures it).
struct Process {
  ProcessId id;
  ProcessId parent;
  ParentSource parent_source = ParentSource::birth;
  bool watched = false;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t ns_pid = 0;
  std::uint32_t image = 0;
  std::int32_t exit = kAlive;  // kAlive, kExitLost, or a wait status
  std::uint32_t target = 0;    // Targets' key of the innermost enrolled root's target, 0 none
  std::uint64_t exec_ns = 0;   // boot time of its last exec, 0 unknown
  std::uint64_t exit_ns = 0;
  std::shared_ptr<const ProcessText> text;    // null until known
  std::shared_ptr<const std::string> cgroup;  // interned
  char comm[16] = {};

  bool alive() const { return exit == kAlive; }
};

class Lineage {
 public:
  struct Limits {
    std::chrono::nanoseconds keep_exited = std::chrono::hours(1);  // …after exit, once no descendant lives
    std::size_t keep_exited_count = 50'000;                        // …whichever is less
  };

  explicit Lineage(Limits limits);
  ~Lineage();
  Lineage(Lineage&&) noexcept;
  Lineage& operator=(Lineage&&) noexcept;

  // Adds a process, or completes one that a record introduced as placeholder. A living process with the same pid and an
  // older start is marked kExitLost: two processes cannot hold one pid.
  Process& insert(Process process);

  // nullptr when unknown. Pointers stay valid until the next insert, exit, expire or remove.
  const Process* get(const ProcessId& id) const;
  Process* find(const ProcessId& id);

  // The living holder of a pid, else the one that held it last; nullptr when none is remembered.
  const Process* by_pid(std::uint32_t pid) const;

  // Marks the end. An exited process stays while a descendant lives and then within Limits.
  void exited(const ProcessId& id, std::int32_t status, std::uint64_t boot_ns);

  // Takes back a kExitLost that turned out wrong: the process was seen again. False when it cannot be so: the process
  // is unknown, ended for certain, or a younger one holds its pid.
  bool revive(const ProcessId& id);

  // Itself first, then parents, as far as they are known.
  std::vector<const Process*> ancestry(const ProcessId& id) const;
  std::vector<const Process*> children(const ProcessId& id) const;  // in order of start
  // Breadth first, without itself; depth 0 = all.
  std::vector<const Process*> descendants(const ProcessId& id, std::uint32_t depth = 0) const;
  bool is_descendant_of(const ProcessId& id, const ProcessId& ancestor) const;  // reflexive
  void remove(const ProcessId& id);

  // Forgets what Limits allow to forget. Returns how many. Amortised O(forgotten).
  std::size_t expire(std::uint64_t now_boot_ns);

  // Forgets the one that has waited longest for it; false when there is none. O(1).
  bool forget_oldest();

  // Boot time when the next process may be forgotten for its age; nullopt when none waits for that.
  std::optional<std::uint64_t> next_expiry() const;
  // More exited processes without living descendants than keep_exited_count: expire() has work at once.
  bool over_count() const;

  std::size_t size() const;
  std::size_t living() const;
  std::vector<const Process*> all() const;  // parents before children, then by start

  void set_limits(Limits limits);  // what is too much then is forgotten at the next expire()

  // Every process, in no order; `visit` may change what is not identity, parent or end.
  void for_each(const std::function<void(Process&)>& visit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace aa
