// probe/exec_family.h: the exec family's programs: loaded, attached, put to rest, and what each one's state is.
//
// Comes in: sizes and limits before load. Goes out: map descriptors for the source and for kernel_state, one ProbeBody
// a program. Each event has a tp_btf program and, where the kernel refuses that, a raw_tp one with the same body.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "event/event.h"
#include "probe/libbpf_handles.h"
#include "probe/mapped_map.h"
#include "probe/shared_maps.h"

struct exec_bpf;
struct aa_scan;

namespace aa {

enum class HookSet { automatic, tp_btf, raw_tp };  // automatic: the first of these that the kernel takes

struct ExecFamilySettings {
  std::uint32_t argv_bytes = 64u << 10;
  std::uint32_t watched_limit = 65'536;
  HookSet hooks = HookSet::automatic;
};

class ExecFamily {
 public:
  // Loads and attaches. A program the kernel refuses is a state with errno and reason, shown by states(). Error:
  // nothing of the family can run (no BTF, no permission); the hint says what to do.
  static Result<std::unique_ptr<ExecFamily>> make(const ExecFamilySettings& settings, const SharedMaps& shared);
  ~ExecFamily();

  int ring_fd() const;
  int targets_fd() const;
  int moves_fd() const;
  int ledger_fd() const;
  int watched_fd() const;
  int watch_data_fd() const;
  int scan_link_fd() const;
  volatile aa_scan& scan() const;
  void set_enrolling(bool on);
  int names_fd() const;
  int spares_fd() const;
  int units_fd() const;
  int unit_paths_fd() const;
  void set_units_watched(std::uint32_t units);  // 0: nobody's control group is looked at
  void set_discovering(std::uint32_t names);    // 0: nothing is looked at

  // The raw syscall program rests while nothing is watched: it would slow every system call of the machine.
  void set_watching(bool on);

  // Two more rest while no unit is watched. Error: the kernel refused one, and units cannot be followed.
  Status set_watching_units(bool on);

  // Attached is not firing: what the self-test did not see arrive is degraded.
  void mark_not_firing(std::string_view program, const std::string& reason);

  std::vector<ProbeBody> states() const;

  // Events the kernel skipped because a program was already running on that CPU (5.12+; 0 where not told).
  // What one program was refused another for the same event did: lost is, at most, what each was refused.
  std::uint64_t recursion_misses() const;

  // Where programs are preempted (probe/preemption.h): skipped ends of system calls. Few can have been a failed exec's.
  std::uint64_t unseen() const;

 private:
  struct Program;
  struct Choice;
  enum class Rest;
  static bool is_further(const Program& program);
  std::uint64_t missed_by_all(const Program& first) const;
  ExecFamily();
  Status open(const ExecFamilySettings& settings, const SharedMaps& shared, bool raw);
  void choose_programs();
  Status attach_all();
  void attach(Program& program);
  static void put_to_rest(Program& program);

  std::unique_ptr<exec_bpf, void (*)(exec_bpf*)> skeleton_;
  std::vector<Program> programs_;
  LinkPtr scan_link_;
  MappedMap watch_;  // aa_enrolling, aa_scan_state
  std::vector<Choice> chosen_;
  bool raw_ = false;
  bool preempted_ = false;  // events have several programs
};

}  // namespace aa
