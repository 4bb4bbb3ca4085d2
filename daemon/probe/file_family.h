// probe/file_family.h: the file family's programs: loaded over the exec family's maps, attached, put to rest.
//
// Comes in: sizes before load, and who is watched through the shared maps. Goes out: a ring for the source, one
// ProbeBody a program, descriptors for file_rules and file_sums. A family that does not load is states with a reason;
// everything else runs on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "event/event.h"
#include "probe/exec_family.h"
#include "probe/libbpf_handles.h"

struct file_tracepoint_bpf;
struct aa_file_settings;
struct aa_learned;

namespace aa {

struct FileFamilySettings {
  std::uint32_t ring_bytes = 4u << 20;
  std::uint32_t sums = 16'384;  // files with reads or writes summed at once, over all processes
  bool each = false;            // every read and write is an event of its own
};

class FileFamily {
 public:
  // Never fails as a whole: without programs, states() says why and ring_fd() is −1.
  static std::unique_ptr<FileFamily> make(const FileFamilySettings& settings, const ExecFamily& exec);
  ~FileFamily();

  bool runs() const { return skeleton_ != nullptr; }
  int ring_fd() const;
  int sums_outer_fd() const;
  int sums_fd(unsigned which) const;  // 0 or 1
  int objects_outer_fd() const;
  int names_outer_fd() const;
  int learn_program_fd() const;
  volatile aa_file_settings& settings() const;
  aa_learned* learn_rows() const;  // AA_LEARN_MAX of them, shared with the kernel

  // The pair rests while nothing is watched: it would slow every system call of the machine.
  void set_watching(bool on);
  // The reader has read everything and goes to wait: the next record wakes it.
  void set_reader_idle();
  // Attached is not firing: what the self-test did not see arrive is degraded.
  void mark_not_firing(std::string_view program, const std::string& reason);

  std::vector<ProbeBody> states() const;
  std::uint64_t recursion_misses() const;

 private:
  struct Program;
  FileFamily();
  Status load(const FileFamilySettings& settings, const ExecFamily& exec, bool uring);
  Status share_maps(const ExecFamily& exec);
  void attach(Program& program);
  void fail(const Error& error);

  std::unique_ptr<file_tracepoint_bpf, void (*)(file_tracepoint_bpf*)> skeleton_;
  std::vector<Program> programs_;
};

}  // namespace aa
