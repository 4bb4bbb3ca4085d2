#include "probe/file_family.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "abi/event.h"
#include "abi/filter.h"
#include "file_tracepoint.skel.h"
#include "file_tracepoint_old.skel.h"
#include "probe/kernel_age.h"
#include "probe/libbpf_log.h"

namespace aa {

struct FileFamily::Program {
  bpf_program* program = nullptr;
  bpf_program* older = nullptr;  // the same on a kernel that has the other tracepoint
  LinkPtr link = nullptr;
  ProbeBody state;
};

namespace {

constexpr std::uint32_t kUringBeforehand = 1024;  // requests under way, where each takes 4 KiB from the start

constexpr std::uint32_t kScratchKinds = 4;  // AA_FILE_SCRATCH_KINDS

struct Row {
  const char* name;
  const char* hook;
};
constexpr Row kRows[] = {{"aa_file_enter", "raw_tp/sys_enter"},
                         {"aa_file_exit", "raw_tp/sys_exit"},
                         {"aa_uring_submit", "raw_tp/io_uring_submit_req"},
                         {"aa_uring_done", "raw_tp/io_uring_complete"}};

}  // namespace

FileFamily::FileFamily() : skeleton_(nullptr, &file_tracepoint_bpf__destroy) {}

FileFamily::~FileFamily() {
  for (Program& program : programs_) program.link.reset();
}

std::unique_ptr<FileFamily> FileFamily::make(const FileFamilySettings& settings, const ExecFamily& exec) {
  std::unique_ptr<FileFamily> family(new FileFamily);
  for (const Row& row : kRows) {
    Program program;
    program.state.family = "file";
    program.state.program = row.name;
    program.state.hook = row.hook;
    family->programs_.push_back(std::move(program));
  }
  Status loaded = family->load(settings, exec, /*uring=*/true);
  if (!loaded) loaded = family->load(settings, exec, /*uring=*/false);  // its structures are the ones that change
  if (!loaded) family->fail(loaded.error());
  return family;
}

void FileFamily::fail(const Error& error) {
  skeleton_.reset();
  for (Program& program : programs_) {
    program.state.state = ProbeState::failed;
    program.state.error_number = error.errno_value;
    program.state.reason = error.doing;
  }
}

// One copy of what all families share: who is watched, what was counted, where urgent records go.
Status FileFamily::share_maps(const ExecFamily& exec) {
  auto& maps = skeleton_->maps;
  const std::pair<bpf_map*, int> shared[] = {{maps.aa_lifecycle, exec.ring_fd()},
                                             {maps.aa_ledger, exec.ledger_fd()},
                                             {maps.aa_watched, exec.watched_fd()},
                                             {maps.aa_targets, exec.targets_fd()},
                                             {maps.data_watch, exec.watch_data_fd()}};
  for (const auto& [map, fd] : shared)
    if (const int error = bpf_map__reuse_fd(map, fd); error != 0)
      return Error{std::string("share the map ") + bpf_map__name(map), -error, ""};
  return Done{};
}

Status FileFamily::load(const FileFamilySettings& settings, const ExecFamily& exec, bool uring) {
  forget_libbpf_log();
  skeleton_.reset(
      open_for_kernel<file_tracepoint_bpf>(&file_tracepoint_bpf__create_skeleton, &file_tracepoint_old_bpf::elf_bytes));
  if (!skeleton_) return Error{"open the file family", errno, ""};
  if (Status shared = share_maps(exec); !shared) return shared;
  auto& maps = skeleton_->maps;
  bpf_map__set_max_entries(maps.aa_file_ring, settings.ring_bytes);
  bpf_map__set_max_entries(maps.aa_sums_a, settings.sums);
  bpf_map__set_max_entries(maps.aa_sums_b, settings.sums);
  if (!kernel_allocates_for_programs()) {
    bpf_map__set_map_flags(maps.aa_asked_now, 0);
    bpf_map__set_map_flags(maps.aa_uring_now, 0);
    bpf_map__set_max_entries(maps.aa_uring_now, kUringBeforehand);
  }
  bpf_map__set_max_entries(maps.aa_file_rows, static_cast<std::uint32_t>(libbpf_num_possible_cpus()) * kScratchKinds);
  // Memory taken while a program runs is what kernels before 6.1 warn of: it may dead-lock them. 21 MiB there.
  if (!kernel_has_loops())
    for (bpf_map* map : {maps.aa_asked_now, maps.aa_uring_now}) bpf_map__set_map_flags(map, 0);
  const auto& progs = skeleton_->progs;
  for (bpf_program* program : {progs.aa_uring_submit, progs.aa_uring_sqe, progs.aa_uring_done})
    bpf_program__set_autoload(program, uring);
  if (const int error = file_tracepoint_bpf__load(skeleton_.get()); error != 0)
    return Error{"load the file family: " + reason_in(libbpf_log()), -error, ""};
  this->settings().each = settings.each ? 1 : 0;
  this->settings().idle = 1;
  programs_[0].program = progs.aa_file_enter;
  programs_[1].program = progs.aa_file_exit;
  if (uring) {
    programs_[2].program = progs.aa_uring_submit;
    programs_[2].older = progs.aa_uring_sqe;
    programs_[3].program = progs.aa_uring_done;
  }
  for (Program& program : programs_) attach(program);
  return Done{};
}

void FileFamily::attach(Program& program) {
  if (program.program == nullptr) {
    program.state.state = ProbeState::unavailable;
    program.state.reason = "this kernel's io_uring is not one the program knows";
    return;
  }
  program.link.reset(bpf_program__attach(program.program));
  int error = program.link ? 0 : errno;
  if (!program.link && program.older != nullptr) {
    program.link.reset(bpf_program__attach(program.older));
    error = program.link ? 0 : errno;
  }
  program.state.error_number = error;
  program.state.state = program.link ? ProbeState::attached : ProbeState::failed;
  program.state.reason = program.link ? "" : "the kernel refuses to attach it";
}

void FileFamily::set_watching(bool on) {
  for (Program& program : programs_) {
    if (program.program == nullptr || program.state.state == ProbeState::failed || on == (program.link != nullptr))
      continue;
    if (on) {
      const ProbeBody before = program.state;
      attach(program);
      if (program.link && before.state == ProbeState::degraded) program.state = before;
      continue;
    }
    program.link.reset();
    if (program.state.state != ProbeState::attached) continue;
    program.state.state = ProbeState::standby;
    program.state.reason = "rests while nothing is watched";
  }
}

void FileFamily::set_reader_idle() {
  if (runs()) __atomic_store_n(&skeleton_->data_file->aa_file_state.idle, 1u, __ATOMIC_SEQ_CST);
}

void FileFamily::mark_not_firing(std::string_view name, const std::string& reason) {
  for (Program& program : programs_) {
    if (program.state.program != name || program.state.state == ProbeState::failed) continue;
    program.state.state = ProbeState::degraded;
    program.state.reason = reason;
  }
}

std::vector<ProbeBody> FileFamily::states() const {
  std::vector<ProbeBody> states;
  for (const Program& program : programs_) states.push_back(program.state);
  return states;
}

std::uint64_t FileFamily::recursion_misses() const {
  std::uint64_t misses = 0;
  for (const Program& program : programs_) {
    if (program.program == nullptr) continue;
    bpf_prog_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program.program), &info, &length) == 0) misses += info.recursion_misses;
  }
  return misses;
}

int FileFamily::ring_fd() const {
  return runs() ? bpf_map__fd(skeleton_->maps.aa_file_ring) : -1;
}
int FileFamily::sums_outer_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_sums_now);
}
int FileFamily::sums_fd(unsigned which) const {
  return bpf_map__fd(which == 0 ? skeleton_->maps.aa_sums_a : skeleton_->maps.aa_sums_b);
}
int FileFamily::objects_outer_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_rule_objects);
}
int FileFamily::names_outer_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_rule_names);
}
int FileFamily::learn_program_fd() const {
  return bpf_program__fd(skeleton_->progs.aa_file_learn);
}
volatile aa_file_settings& FileFamily::settings() const {
  return *reinterpret_cast<aa_file_settings*>(&skeleton_->data_file->aa_file_state);
}
aa_learned* FileFamily::learn_rows() const {
  return reinterpret_cast<aa_learned*>(&skeleton_->data_learn->aa_learn_rows);
}

}  // namespace aa
