// probe/file_family.h: the file family's programs: loaded over the shared maps, attached, put to rest.
//
// Comes in: sizes before load, and who is watched through the shared maps. Goes out: a ring for the source, one
// ProbeBody a program, descriptors for file_rules and file_sums. There are sets of programs: hooks of the kernel's own
// functions, and system call tracepoints where those are refused. A family that does not load is states with a reason;
// everything else runs on.
#pragma once

#include <bpf/libbpf.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "event/event.h"
#include "probe/libbpf_handles.h"
#include "probe/mapped_map.h"
#include "probe/return_probes.h"
#include "probe/shared_maps.h"

struct aa_file_settings;
struct aa_learned;

namespace aa {

enum class FileHooks { automatic, fentry, kprobe, tracepoint };  // automatic: the first of these that the kernel takes

struct FileFamilySettings {
  bool on = true;
  std::uint32_t ring_bytes = 4u << 20;
  std::uint32_t sums = 16'384;  // files with reads or writes summed at once, over all processes
  bool each = false;            // every read and write is an event of its own
  FileHooks hooks = FileHooks::automatic;
};

class FileFamily {
 public:
  // Never fails as a whole: without programs, states() says why and ring_fd() is −1.
  static std::unique_ptr<FileFamily> make(const FileFamilySettings& settings, const SharedMaps& shared);
  ~FileFamily();
  // Takes its programs off for good. Cost: on the kernel's functions a tenth of a second each, asleep.
  void detach();

  bool runs() const { return object_ != nullptr; }
  int ring_fd() const;
  int sums_outer_fd() const { return map_fd("aa_sums_now"); }
  int sums_fd(unsigned which) const { return map_fd(which == 0 ? "aa_sums_a" : "aa_sums_b"); }
  static constexpr const char* kRuleObjects = "aa_rule_objects";
  static constexpr const char* kRuleNames = "aa_rule_names";
  // A new map that may take a place in the outer one; an error is in errno.
  UniqueFd make_inner(const char* outer, std::uint32_t entries) const;
  Status put_inner(const char* outer, std::uint32_t place, const UniqueFd& inner) const;
  int learn_program_fd() const;
  volatile aa_file_settings& settings() const;
  aa_learned* learn_rows() const;  // AA_LEARN_MAX of them, shared with the kernel

  // Tracepoints rest while nothing is watched: they would slow every system call of the machine.
  void set_watching(bool on);
  // The reader has read everything and goes to wait: the next record wakes it.
  void set_reader_idle();
  // Takes back the working memory of threads that are gone. Cost: two system calls for each thread inside an operation.
  void sweep();
  // The program that tells of opened files: the self-test's.
  std::string_view opening_program() const;
  // Those attached that the self-test tries and the kernel has not run, as it counts while statistics are enabled.
  std::vector<std::string> never_ran() const;
  // Attached is not firing: what the self-test did not see arrive is degraded.
  void mark_not_firing(std::string_view program, const std::string& reason);

  std::vector<ProbeBody> states() const;
  std::uint64_t recursion_misses() const;
  std::uint64_t returns_missed() const { return returns_.missed(); }
  // A file that a rule means found no room among those that the kernel recognises. From any thread.
  void count_unlearned(std::uint64_t names = 1) const { unlearned_.fetch_add(names, std::memory_order_relaxed); }
  std::uint64_t unheard() const { return unheard_; }  // requests of io_uring whose completion nobody was told of
  std::uint64_t unlearned() const { return unlearned_.load(std::memory_order_relaxed); }

 private:
  struct Set;
  struct Program;
  struct Inner {
    std::uint32_t key_bytes = 0;
    std::uint32_t value_bytes = 0;
    std::uint32_t key_type = 0;  // in the object's BTF
    std::uint32_t value_type = 0;
  };
  FileFamily() = default;
  Status load(const Set& set, const FileFamilySettings& settings, const SharedMaps& shared);
  Status open(const Set& set, const FileFamilySettings& settings, const SharedMaps& shared);
  void size_maps(const Set& set, const FileFamilySettings& settings);
  void note_inner(const char* outer);
  void choose_programs();
  Status fill();
  void attach(Program& program);
  bool give_row(std::uint32_t row) const;
  void count_unheard();
  void add_unavailable(const Set& set, const std::string& reason, int error);
  int map_fd(const char* name) const;

  const Set* set_ = nullptr;  // the one that runs
  std::unique_ptr<bpf_object, void (*)(bpf_object*)> object_{nullptr, &bpf_object__close};
  std::map<std::string, Inner> inner_;  // of outer maps, by name
  MappedMap settings_map_;
  MappedMap learn_map_;
  ReturnProbes returns_;
  mutable std::atomic<std::uint64_t> unlearned_ = 0;
  std::uint64_t unheard_ = 0;
  std::vector<Program> programs_;
  std::map<std::string, std::string> refused_;  // name → the verifier's reason, of the set being loaded
  std::vector<ProbeBody> elsewhere_;            // sets that do not run here, and why
};

}  // namespace aa
