#include "probe/exec_family.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <type_traits>
#include <utility>

#include "abi/filter.h"
#include "exec.skel.h"
#include "probe/embedded.h"
#include "probe/kernel_age.h"
#include "probe/kernel_types.h"
#include "probe/libbpf_log.h"
#include "probe/preemption.h"
#include "probe/program_info.h"
#include "probe/refusal.h"

namespace aa {

namespace {

constexpr std::array<std::string_view, 2> kFurther = {"_2nd", "_3rd"};  // programs for the same event
constexpr std::string_view kEndOfCalls = "aa_failed_exec";              // runs at the end of every system call

using WatchData = std::remove_pointer_t<decltype(exec_bpf::data_watch)>;

}  // namespace

// When a program is not attached: what it would cost everybody is for nobody then.
enum class ExecFamily::Rest { never, nothing_watched, no_unit };

struct ExecFamily::Choice {
  std::string_view name;
  bpf_program* program;
  Rest rests;
};

struct ExecFamily::Program {
  bpf_program* program = nullptr;
  Rest rests = Rest::never;
  LinkPtr link = nullptr;
  ProbeBody state;
};

// Without it the first still does all but what it is refused, which is counted.
bool ExecFamily::is_further(const Program& program) {
  return std::any_of(kFurther.begin(), kFurther.end(),
                     [&](std::string_view end) { return program.state.program.ends_with(end); });
}

ExecFamily::ExecFamily() : skeleton_(nullptr, &exec_bpf__destroy), preempted_(kernel_preempts_programs()) {}

ExecFamily::~ExecFamily() {
  for (Program& program : programs_) program.link.reset();
  scan_link_.reset();
}

Result<std::unique_ptr<ExecFamily>> ExecFamily::make(const ExecFamilySettings& settings, const SharedMaps& shared) {
  std::unique_ptr<ExecFamily> family(new ExecFamily);
  Status opened = family->open(settings, shared, /*raw=*/settings.hooks == HookSet::raw_tp);
  if (!opened && settings.hooks == HookSet::automatic) opened = family->open(settings, shared, /*raw=*/true);
  if (!opened) return opened.error();
  if (Status attached = family->attach_all(); !attached) return attached.error();
  return family;
}

Status ExecFamily::open(const ExecFamilySettings& settings, const SharedMaps& shared, bool raw) {
  programs_.clear();
  forget_libbpf_log();
  raw_ = raw;
  std::size_t size = 0;
  const void* bytes = exec_bpf__elf_bytes(&size);
  const KernelTypes types(bytes, size);
  LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = types.path());
  skeleton_.reset(exec_bpf__open_opts(&options));
  if (!skeleton_) return Error{"open the exec family", errno, hint_for(errno)};
  auto& maps = skeleton_->maps;
  if (Status same = shared.share_with(skeleton_->obj); !same) return same;
  bpf_map__set_max_entries(maps.aa_moves, settings.watched_limit);
  skeleton_->rodata->aa_scratch_kinds = preempted_ ? 3 : 2;
  bpf_map__set_max_entries(
      maps.aa_scratch, static_cast<std::uint32_t>(libbpf_num_possible_cpus()) * skeleton_->rodata->aa_scratch_kinds);
  allocate_beforehand(skeleton_->obj);
  skeleton_->rodata->aa_argv_limit = settings.argv_bytes;
  choose_programs();
  if (const int error = exec_bpf__load(skeleton_.get()); error != 0)
    return Error{"load the exec family: " + reason_in(libbpf_log()), -error,
                 is_verifiers(libbpf_log()) ? kReport : hint_for(-error), is_lasting(-error)};
  give_back(skeleton_->skeleton->data, skeleton_->skeleton->data_sz);
  // Not by the skeleton: of a map that was there before, libbpf 1.5 shows it memory that the kernel does not see.
  watch_ = MappedMap(watch_data_fd(), sizeof(WatchData));
  if (watch_.data() == nullptr) return Error{"map what the exec family shares", errno, hint_for(errno)};
  return Done{};
}

// One program for each event, or two; the others are not even shown to the kernel.
void ExecFamily::choose_programs() {
  const auto& progs = skeleton_->progs;
  // The same names for all ways of attaching: they name what is seen, `hook` says how.
  chosen_ = {{"aa_fork", raw_ ? progs.aa_fork_raw : progs.aa_fork, Rest::never},
             {"aa_exec", raw_ ? progs.aa_exec_raw : progs.aa_exec, Rest::never},
             {"aa_exit", raw_ ? progs.aa_exit_raw : progs.aa_exit, Rest::never},
             {kEndOfCalls, raw_ ? progs.aa_failed_raw : progs.aa_failed_exec, Rest::nothing_watched},
             {"aa_attach", raw_ ? progs.aa_attach_raw : progs.aa_attach, Rest::no_unit},
             {"aa_mkdir", raw_ ? progs.aa_mkdir_raw : progs.aa_mkdir, Rest::no_unit}};
  if (preempted_) {
    chosen_.push_back({"aa_fork_2nd", raw_ ? progs.aa_fork_2nd_raw : progs.aa_fork_2nd, Rest::never});
    chosen_.push_back({"aa_fork_3rd", progs.aa_fork_3rd, Rest::never});
    chosen_.push_back({"aa_exec_2nd", progs.aa_exec_2nd, Rest::never});
    chosen_.push_back({"aa_exit_2nd", raw_ ? progs.aa_exit_2nd_raw : progs.aa_exit_2nd, Rest::never});
    chosen_.push_back({"aa_exit_3rd", progs.aa_exit_3rd, Rest::never});
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    const bool wanted = std::any_of(chosen_.begin(), chosen_.end(),
                                    [program](const Choice& choice) { return choice.program == program; });
    bpf_program__set_autoload(program, wanted || program == progs.aa_scan);
  }
}

Status ExecFamily::attach_all() {
  for (const Choice& choice : chosen_) {
    Program program{choice.program, choice.rests, nullptr, {}};
    program.state.family = "exec";
    program.state.program = choice.name;
    program.state.hook = bpf_program__section_name(choice.program);
    if (choice.rests == Rest::no_unit)
      put_to_rest(program);
    else
      attach(program);
    programs_.push_back(std::move(program));
  }
  for (const Program& program : programs_)
    if (program.state.state == ProbeState::failed && program.rests == Rest::never && !is_further(program))
      return Error{"attach " + program.state.hook, program.state.error_number, hint_for(program.state.error_number)};
  scan_link_.reset(bpf_program__attach(skeleton_->progs.aa_scan));
  if (!scan_link_) return Error{"attach iter/task", errno, hint_for(errno)};
  return Done{};
}

void ExecFamily::attach(Program& program) {
  program.link.reset(bpf_program__attach(program.program));
  const int error = program.link ? 0 : errno;
  program.state.error_number = error;
  program.state.state = program.link ? ProbeState::attached : ProbeState::failed;
  program.state.reason = program.link ? "" : hint_for(error);
}

void ExecFamily::put_to_rest(Program& program) {
  program.link.reset();
  if (program.state.state == ProbeState::failed || program.state.state == ProbeState::degraded) return;
  program.state.state = ProbeState::standby;
  program.state.reason =
      program.rests == Rest::no_unit ? "rests while no unit is watched" : "rests while nothing is watched";
}

void ExecFamily::set_watching(bool on) {
  for (Program& program : programs_) {
    if (program.rests != Rest::nothing_watched || program.state.state == ProbeState::failed) continue;
    if (on == (program.link != nullptr)) continue;
    if (!on) {
      put_to_rest(program);
      continue;
    }
    const ProbeBody before = program.state;
    attach(program);
    if (program.link && before.state == ProbeState::degraded) program.state = before;
  }
}

Status ExecFamily::set_watching_units(bool on) {
  for (Program& program : programs_) {
    if (program.rests != Rest::no_unit || on == (program.link != nullptr)) continue;
    if (on)
      attach(program);
    else
      put_to_rest(program);
    if (on && !program.link)
      return Error{"attach " + program.state.hook, program.state.error_number, hint_for(program.state.error_number)};
  }
  return Done{};
}

void ExecFamily::mark_not_firing(std::string_view name, const std::string& reason) {
  for (Program& program : programs_) {
    if (program.state.program != name || program.state.state == ProbeState::failed) continue;
    program.state.state = ProbeState::degraded;
    program.state.reason = reason;
  }
}

std::vector<ProbeBody> ExecFamily::states() const {
  std::vector<ProbeBody> states;
  for (const Program& program : programs_) states.push_back(program.state);
  return states;
}

std::uint64_t ExecFamily::recursion_misses() const {
  std::uint64_t misses = 0;
  for (const Program& program : programs_)
    if (!is_further(program) && !(preempted_ && program.state.program == kEndOfCalls)) misses += missed_by_all(program);
  return misses;
}

std::uint64_t ExecFamily::missed_by_all(const Program& first) const {
  std::uint64_t misses = info_of(first.program).recursion_misses;
  for (const Program& other : programs_)
    if (other.link && is_further(other) && other.state.program.starts_with(first.state.program))
      misses = std::min<std::uint64_t>(misses, info_of(other.program).recursion_misses);
  return misses;
}

std::uint64_t ExecFamily::unseen() const {
  std::uint64_t misses = 0;
  for (const Program& program : programs_)
    if (preempted_ && program.state.program == kEndOfCalls) misses += info_of(program.program).recursion_misses;
  return misses;
}

int ExecFamily::ring_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_lifecycle);
}
int ExecFamily::targets_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_targets);
}
int ExecFamily::moves_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_moves);
}
int ExecFamily::ledger_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_ledger);
}
int ExecFamily::watched_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_watched);
}
int ExecFamily::watch_data_fd() const {
  return bpf_map__fd(skeleton_->maps.data_watch);
}
int ExecFamily::scan_link_fd() const {
  return bpf_link__fd(scan_link_.get());
}
volatile aa_scan& ExecFamily::scan() const {
  return static_cast<WatchData*>(watch_.data())->aa_scan_state;
}
int ExecFamily::names_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_names);
}
int ExecFamily::spares_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_spares);
}
int ExecFamily::units_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_units);
}
int ExecFamily::unit_paths_fd() const {
  return bpf_map__fd(skeleton_->maps.aa_unit_paths);
}
void ExecFamily::set_units_watched(std::uint32_t units) {
  __atomic_store_n(&skeleton_->bss->aa_units_watched, units, __ATOMIC_SEQ_CST);
}
void ExecFamily::set_discovering(std::uint32_t names) {
  __atomic_store_n(&skeleton_->bss->aa_discovering, names, __ATOMIC_SEQ_CST);
}
void ExecFamily::set_enrolling(bool on) {
  __atomic_store_n(&static_cast<WatchData*>(watch_.data())->aa_enrolling, on ? 1u : 0u, __ATOMIC_SEQ_CST);
}

}  // namespace aa
