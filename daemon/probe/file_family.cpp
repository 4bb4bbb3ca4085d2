#include "probe/file_family.h"

#include <bpf/bpf.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "abi/event.h"
#include "abi/filter.h"
#include "file_hooks.skel.h"
#include "file_kprobes.skel.h"
#include "file_tracepoint.skel.h"
#include "file_tracepoint_old.skel.h"
#include "probe/embedded.h"
#include "probe/kernel_age.h"
#include "probe/kernel_functions.h"
#include "probe/kernel_types.h"
#include "probe/libbpf_log.h"
#include "probe/map_keys.h"
#include "probe/preemption.h"
#include "probe/program_info.h"
#include "probe/shared_maps.h"

namespace aa {

struct FileFamily::Set {
  FileHooks hooks;
  const char* name;
  const char* opening;  // its program that tells of opened files
  bool rests;           // while nothing is watched
  bool rows_per_cpu;    // working memory: of each CPU, or taken by operations until they end (lib/file_rows.bpf.h)
  const void* (*bytes)(std::size_t*);
  const void* (*older_bytes)(std::size_t*);  // for kernels before 5.17, where those need another build
};

struct FileFamily::Program {
  std::vector<bpf_program*> candidates;  // the first that attaches is taken
  bpf_program* program = nullptr;
  LinkPtr link = nullptr;
  ProbeBody state;
};

namespace {

// Requests of io_uring under way: 8 KiB each, allocated from the start. Each processor takes 128 places at a time and
// keeps them (bpf_lru_list.c of the kernel): whoever finds none left pushes requests out.
constexpr std::uint32_t kUring = 1024, kUringPerCpu = 128, kMostUring = 4096;
constexpr const char* kLearn = "aa_file_learn";  // is run, not attached
constexpr std::size_t kMostRefused = 16;
// The self-test makes no io_uring requests, and no call of a 32-bit program.
constexpr std::array<std::string_view, 2> kUntried = {"uring", "32_"};

// Where names are looked up: in the tree of the machine's first process, or of our own where that one's is not shown.
std::uint32_t home_namespace() {
  struct stat status {};
  for (const char* place : {"/proc/1/ns/mnt", "/proc/self/ns/mnt"})
    if (::stat(place, &status) == 0) return static_cast<std::uint32_t>(status.st_ino);
  return 0;
}

bool returns(const bpf_program* program) {
  return std::string_view(bpf_program__section_name(program)).substr(0, 10) == "kretprobe/";
}

// What can be known of a set before its programs are loaded.
Status possible(FileHooks hooks) {
  if (hooks == FileHooks::fentry && libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_TRACING, nullptr) != 1)
    return Error{"this kernel, or its security policy, takes no programs on its functions", EPERM, ""};
  // Without kprobes their programs load all the same, and then cannot be attached.
  if (hooks == FileHooks::kprobe && ::access("/sys/bus/event_source/devices/kprobe/type", F_OK) != 0)
    return Error{"this kernel has no kprobes", ENOENT, ""};
  return Done{};
}

}  // namespace

FileFamily::~FileFamily() {
  detach();
}

void FileFamily::detach() {
  for (Program& program : programs_) program.link.reset();
}

std::unique_ptr<FileFamily> FileFamily::make(const FileFamilySettings& settings, const SharedMaps& shared) {
  static const Set kSets[] = {
      {FileHooks::fentry, "fentry", "aa_open_out", false, false, &file_hooks_bpf::elf_bytes, nullptr},
      {FileHooks::kprobe, "kprobe", "aa_open_out", false, false, &file_kprobes_bpf::elf_bytes, nullptr},
      {FileHooks::tracepoint, "tracepoint", "aa_file_exit", true, true, &file_tracepoint_bpf::elf_bytes,
       &file_tracepoint_old_bpf::elf_bytes}};
  std::unique_ptr<FileFamily> family(new FileFamily);
  std::array order = {&kSets[0], &kSets[1], &kSets[2]};
  if (kernel_preempts_programs()) std::swap(order[0], order[1]);  // fentry would miss much: see there
  for (const Set* candidate : order) {
    const Set& set = *candidate;
    if (settings.hooks != FileHooks::automatic && settings.hooks != set.hooks) continue;
    if (!settings.on) {
      family->add_unavailable(set, "families.file is off in the configuration", 0);
      break;
    }
    const Status loaded = family->load(set, settings, shared);
    if (loaded) break;
    family->add_unavailable(set, loaded.error().doing, loaded.error().errno_value);
  }
  return family;
}

void FileFamily::add_unavailable(const Set& set, const std::string& reason, int error) {
  programs_.clear();
  object_.reset();
  elsewhere_.push_back({"file", set.opening, set.name, ProbeState::unavailable, error, reason});
}

// A program that the verifier does not take is left out, and said; the others see what they see.
Status FileFamily::load(const Set& set, const FileFamilySettings& settings, const SharedMaps& shared) {
  refused_.clear();
  if (Status able = possible(set.hooks); !able) return able;
  for (;;) {
    forget_libbpf_log();
    Status opened = open(set, settings, shared);
    if (opened) break;
    const std::string program = program_refused(libbpf_log());
    if (program.empty() || opened.error().errno_value == EPERM || refused_.size() >= kMostRefused) return opened;
    if (!refused_.emplace(program, reason_in(libbpf_log())).second) return opened;
  }
  if (Status filled = fill(); !filled) return filled;
  this->settings().each = settings.each ? 1 : 0;
  this->settings().idle = 1;
  this->settings().home = home_namespace();
  for (Program& program : programs_) attach(program);
  const bool opens = std::any_of(programs_.begin(), programs_.end(), [&](const Program& program) {
    return program.state.program == set.opening && program.link != nullptr;
  });
  if (!opens) return Error{"the kernel refuses to attach its programs", ENOTSUP, ""};
  set_ = &set;
  return Done{};
}

Status FileFamily::open(const Set& set, const FileFamilySettings& settings, const SharedMaps& shared) {
  std::size_t size = 0;
  const bool older = set.older_bytes != nullptr && !kernel_has_callbacks();
  const void* bytes = older ? set.older_bytes(&size) : set.bytes(&size);
  const KernelTypes types(bytes, size);
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "file_bpf", .btf_custom_path = types.path());
  object_.reset(bpf_object__open_mem(bytes, size, &options));
  if (!object_) return Error{"open the file family", errno, ""};
  if (Status same = shared.share_with(object_.get()); !same) return same;
  size_maps(set, settings);
  for (const char* outer : {kRuleObjects, kRuleNames}) note_inner(outer);
  choose_programs();
  const int error = bpf_object__load(object_.get());
  give_back(bytes, size);
  if (error != 0) return Error{"load the file family: " + reason_in(libbpf_log()), -error, ""};
  return Done{};
}

void FileFamily::size_maps(const Set& set, const FileFamilySettings& settings) {
  const auto resize = [this](const char* name, std::uint32_t entries) {
    if (bpf_map* map = bpf_object__find_map_by_name(object_.get(), name)) bpf_map__set_max_entries(map, entries);
  };
  resize("aa_file_ring", settings.ring_bytes);
  resize("aa_sums_a", settings.sums);
  resize("aa_sums_b", settings.sums);
  const auto cpus = static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  resize("aa_file_rows", set.rows_per_cpu ? AA_FILE_ROWS_PER_CPU * cpus : AA_FILE_ROWS);
  resize("aa_file_free", AA_FILE_ROWS_AT_ONCE);
  resize("aa_file_free_waiting", AA_FILE_ROWS_WAITING);
  resize("aa_uring_now", std::min(kUring + kUringPerCpu * cpus, kMostUring));
  allocate_beforehand(object_.get());
}

void FileFamily::choose_programs() {
  programs_.clear();
  std::map<std::string, bpf_program*> chosen;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    if (!hooks_function(program)) continue;
    chosen = KernelFunctions().choose(object_.get());
    break;
  }
  std::map<std::string, std::size_t> places;
  bpf_object__for_each_program(program, object_.get()) {
    const std::string job = job_of(program);
    if (job == kLearn) continue;
    const bool function = hooks_function(program);
    const auto refusal = refused_.find(bpf_program__name(program));
    const bool refused = refusal != refused_.end();
    const bool wanted = !refused && (!function || chosen[job] == program);
    bpf_program__set_autoload(program, wanted);
    if (!wanted && !refused && !variant_of(program).empty()) continue;  // another kernel's: nothing is missing here
    const auto [place, fresh] = places.emplace(job, programs_.size());
    if (fresh) {
      Program& row = programs_.emplace_back();
      row.state = {"file",
                   job,
                   bpf_program__section_name(program),
                   ProbeState::unavailable,
                   0,
                   "this kernel has nothing of that name"};
    }
    Program& row = programs_[place->second];
    if (refused) row.state.reason = "this kernel's verifier does not take the program: " + refusal->second;
    if (wanted) row.candidates.push_back(program);
  }
}

// Working memory that nobody uses yet.
Status FileFamily::fill() {
  settings_map_ = MappedMap(map_fd(".data.file"), sizeof(aa_file_settings));
  learn_map_ = MappedMap(map_fd(".data.learn"), sizeof(aa_learned) * AA_LEARN_MAX);
  if (settings_map_.data() == nullptr || learn_map_.data() == nullptr)
    return Error{"map the file family's settings", errno, ""};
  if (bpf_object__find_map_by_name(object_.get(), "aa_file_free") == nullptr) return Done{};
  for (std::uint32_t row = 0; row < AA_FILE_ROWS; ++row)
    if (!give_row(row)) return Error{"make working memory for file operations", errno, ""};
  return Done{};
}

bool FileFamily::give_row(std::uint32_t row) const {
  const char* free = row < AA_FILE_ROWS_AT_ONCE ? "aa_file_free" : "aa_file_free_waiting";
  return bpf_map_update_elem(map_fd(free), nullptr, &row, BPF_ANY) == 0;
}

void FileFamily::attach(Program& program) {
  for (bpf_program* candidate : program.candidates) {
    program.link = returns(candidate) ? returns_.attach(candidate) : LinkPtr(bpf_program__attach(candidate));
    program.program = candidate;
    program.state.hook = bpf_program__section_name(candidate);
    program.state.error_number = program.link ? 0 : errno;
    program.state.state = program.link ? ProbeState::attached : ProbeState::failed;
    program.state.reason = program.link ? "" : "the kernel refuses to attach it";
    if (!program.link) continue;
    if (returns(candidate) && !returns_.has_room()) {
      program.state.state = ProbeState::degraded;
      program.state.reason = "tracefs cannot be written: calls beyond a few at a time are missed, and not counted";
    }
    return;
  }
}

void FileFamily::set_watching(bool on) {
  if (set_ == nullptr || !set_->rests) return;
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
  if (runs()) __atomic_store_n(&static_cast<aa_file_settings*>(settings_map_.data())->idle, 1u, __ATOMIC_SEQ_CST);
}

std::string_view FileFamily::opening_program() const {
  return set_ == nullptr ? "" : set_->opening;
}

std::vector<std::string> FileFamily::never_ran() const {
  std::vector<std::string> names;
  for (const Program& program : programs_) {
    const bool tried = std::none_of(kUntried.begin(), kUntried.end(), [&](std::string_view part) {
      return program.state.program.find(part) != std::string::npos;
    });
    if (tried && program.link && info_of(program.program).run_cnt == 0) names.push_back(program.state.program);
  }
  return names;
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
  if (!runs()) states.insert(states.end(), elsewhere_.begin(), elsewhere_.end());
  return states;
}

std::uint64_t FileFamily::recursion_misses() const {
  std::uint64_t misses = 0;
  for (const Program& program : programs_) misses += info_of(program.program).recursion_misses;
  return misses;
}

// Only threads whose function's return was missed die inside it.
void FileFamily::sweep() {
  const auto is_gone = [](std::uint64_t thread) {
    return ::syscall(SYS_tgkill, thread >> 32, thread & 0xffffffff, 0) != 0 && errno == ESRCH;
  };
  if (!runs()) return;
  if (const bpf_map* inside = bpf_object__find_map_by_name(object_.get(), "aa_file_inside"))
    for (const std::uint64_t thread : keys_of<std::uint64_t>(inside)) {
      std::uint32_t row = 0;
      const bool taken = is_gone(thread) && bpf_map_lookup_elem(bpf_map__fd(inside), &thread, &row) == 0 &&
                         bpf_map_delete_elem(bpf_map__fd(inside), &thread) == 0;
      if (taken && row < AA_FILE_ROWS) give_row(row);  // else it was a mark
    }
  if (const bpf_map* kept = bpf_object__find_map_by_name(object_.get(), "aa_file_kept"))
    for (const aa_kept_key& call : keys_of<aa_kept_key>(kept))
      if (is_gone(call.thread)) bpf_map_delete_elem(bpf_map__fd(kept), &call);
  count_unheard();
}

// Of processes that are not watched any more nobody will be told.
void FileFamily::count_unheard() {
  const bpf_map* open = bpf_object__find_map_by_name(object_.get(), "aa_uring_open");
  for (const std::uint64_t request : keys_of<std::uint64_t>(open)) {
    aa_watched entry{};
    std::uint32_t tgid = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(open), &request, &tgid) != 0) continue;
    if (bpf_map_lookup_elem(map_fd("aa_watched"), &tgid, &entry) == 0) continue;
    if (bpf_map_delete_elem(bpf_map__fd(open), &request) == 0) ++unheard_;
  }
}

int FileFamily::map_fd(const char* name) const {
  return bpf_map__fd(bpf_object__find_map_by_name(object_.get(), name));
}
// Up to 6.1 an inner map must have its types described as the first one has, or it is refused as another kind of map.
// libbpf forgets the first one when it loads the object.
void FileFamily::note_inner(const char* outer) {
  const bpf_map* first = bpf_map__inner_map(bpf_object__find_map_by_name(object_.get(), outer));
  inner_[outer] = {bpf_map__key_size(first), bpf_map__value_size(first), bpf_map__btf_key_type_id(first),
                   bpf_map__btf_value_type_id(first)};
}

UniqueFd FileFamily::make_inner(const char* outer, std::uint32_t entries) const {
  const Inner& inner = inner_.at(outer);
  LIBBPF_OPTS(bpf_map_create_opts, options);
  if (const int btf = bpf_object__btf_fd(object_.get()); btf >= 0) {
    options.btf_fd = static_cast<__u32>(btf);
    options.btf_key_type_id = inner.key_type;
    options.btf_value_type_id = inner.value_type;
  }
  return UniqueFd(bpf_map_create(BPF_MAP_TYPE_HASH, outer, inner.key_bytes, inner.value_bytes, entries, &options));
}

Status FileFamily::put_inner(const char* outer, std::uint32_t place, const UniqueFd& inner) const {
  const int fd = inner.get();
  if (bpf_map_update_elem(map_fd(outer), &place, &fd, BPF_ANY) != 0)
    return Error{"put a set of path rules in place", errno, ""};
  return Done{};
}

int FileFamily::ring_fd() const {
  return runs() ? map_fd("aa_file_ring") : -1;
}
int FileFamily::learn_program_fd() const {
  return bpf_program__fd(bpf_object__find_program_by_name(object_.get(), kLearn));
}
volatile aa_file_settings& FileFamily::settings() const {
  return *static_cast<aa_file_settings*>(settings_map_.data());
}
aa_learned* FileFamily::learn_rows() const {
  return static_cast<aa_learned*>(learn_map_.data());
}

}  // namespace aa
