#include "probe/tls_family.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "abi/filter.h"
#include "abi/tls.h"
#include "base/file_text.h"
#include "base/proc_start.h"
#include "base/text.h"
#include "probe/embedded.h"
#include "probe/kernel_age.h"
#include "probe/kernel_types.h"
#include "probe/libbpf_log.h"
#include "probe/map_keys.h"
#include "probe/program_info.h"
#include "probe/shared_maps.h"
#include "probe/tls_trial.h"
#include "probe/uprobe_multi.h"
#include "tls.skel.h"
#include "tls_old.skel.h"

namespace aa {
namespace {

using tls_programs::kEnd;
using tls_programs::kEnter;
using tls_programs::kReturn;

// The first pair whose hook the kernel has.
constexpr std::array kSocketTracepoints = {"aa_tls_sent", "aa_tls_received"};
constexpr std::array kSocketFunctions = {"aa_tls_sends", "aa_tls_receives"};

// A child may use a connection for the first time this long after its parent freed it.
constexpr std::uint64_t kKeepFreedNs = 10'000'000'000;

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// "branch + canary: SSL_read, SSL_write; push + return probe: SSL_sendfile"
std::string places_in(const TlsLibrary& library) {
  std::string out;
  for (const auto& [places, functions] : library.chosen)
    out += (out.empty() ? "" : "; ") + places + ": " + listed(functions);
  return out;
}

void choose_socket_programs(bpf_object* object, bool wanted) {
  const std::shared_ptr<const btf> types = wanted ? kernel_btf() : nullptr;
  const auto has = [&](const char* name, std::uint32_t kind) {
    return types && btf__find_by_name_kind(types.get(), name, kind) > 0;
  };
  const bool traced = has("btf_trace_sock_send_length", BTF_KIND_TYPEDEF);
  const bool hooked = !traced && has("tcp_sendmsg", BTF_KIND_FUNC) && has("tcp_recvmsg", BTF_KIND_FUNC);
  for (const char* name : kSocketTracepoints)
    bpf_program__set_autoload(bpf_object__find_program_by_name(object, name), traced);
  for (const char* name : kSocketFunctions)
    bpf_program__set_autoload(bpf_object__find_program_by_name(object, name), hooked);
}

// An attachment is a descriptor or two: a service manager's usual 1,024 are soon used up by processes.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

struct OpenMet {
  UniqueFd file;
  FileNumbers numbers;
  int watch = 0, error = 0;
};

OpenMet open_met(const std::string& path, int changes) {
  OpenMet met;
  met.file.reset(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status {};
  if (!met.file || ::fstat(met.file.get(), &status) != 0 || is_one_of_the_last(met.file.get())) {
    met.error = is_one_of_the_last(met.file.get()) ? EMFILE : errno;
    return met;
  }
  met.numbers = {status.st_dev, status.st_ino};
  met.watch = ::inotify_add_watch(changes, link_to(met.file).c_str(), IN_MODIFY | IN_CLOSE_WRITE);
  if (met.watch < 0) met.watch = -errno;
  return met;
}

bool is_uprobe(const bpf_program* program) {
  return std::string_view(bpf_program__section_name(program)).starts_with("u");
}

}  // namespace

bool TlsFamily::may_be_read_later(int error) {
  return error == ENOENT || error == ESRCH || error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR ||
         error == ETIMEDOUT;
}

TlsFamily::~TlsFamily() {
  detach();
}

void TlsFamily::detach() {
  std::vector<UniqueFd> links;
  for (auto& [file, met] : met_)
    for (auto& [link, libbpfs] : met.links)
      if (link) links.push_back(std::move(link));
  close_at_once(std::move(links));
  for (auto& [file, met] : met_) met.links.clear();
  trial_links_.clear();
  socket_links_.clear();
}

std::unique_ptr<TlsFamily> TlsFamily::make(const TlsFamilySettings& settings, const SharedMaps& shared) {
  std::unique_ptr<TlsFamily> family(new TlsFamily);
  if (const Status opened = family->open(settings, shared); !opened) {
    family->trial_links_.clear();
    family->changes_->reset();
    family->attacher_ = {};
    family->object_.reset();
    family->states_ = {
        {"tls", kReturn, "uprobe", ProbeState::unavailable, opened.error().errno_value, opened.error().doing}};
  }
  return family;
}

Status TlsFamily::open(const TlsFamilySettings& settings, const SharedMaps& shared) {
  if (!settings.on) return Error{"families.tls is off in the configuration", 0, ""};
  multi_ = settings.hooks != TlsHooks::uprobe && kernel_has_callbacks() && kernel_has_uprobe_multi();
  if (settings.hooks == TlsHooks::uprobe_multi && !multi_)
    return Error{"this kernel has no uprobe_multi, which tls.hooks asks for", 0, ""};
  multi_ = multi_ && (!settings.by_process || uprobe_multi_sees_threads());
  if (settings.hooks == TlsHooks::uprobe_multi && !multi_)
    return Error{"this kernel's uprobe_multi sees one thread of a process only, and tls.scope asks for processes", 0,
                 ""};
  // Without the sockets' programs, which this machine may not take, peers are known by descriptors alone.
  if (!load(settings, shared, true))
    if (Status loaded = load(settings, shared, false); !loaded) return loaded;
  settings_map_ = MappedMap(map_fd(".data.tls"), sizeof(aa_tls_settings));
  auto* state = static_cast<aa_tls_settings*>(settings_map_.data());
  if (state == nullptr) return Error{"map the TLS family's settings", errno, ""};
  state->call_bytes = settings.call_bytes;
  state->idle = 1;
  changes_->reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!*changes_) return Error{"watch libraries for changes", errno, "fs.inotify.max_user_instances may be too small"};
  return_probes_ = settings.return_probes;
  attacher_ = TlsAttacher(object_, multi_);
  if (Status tried = try_out(); !tried) return tried;
  allow_many_descriptors();
  detacher_ = std::make_unique<TlsDetacher>();
  if (!settings.by_process) return Done{};
  if (!multi_)
    states_.push_back({"tls", "tls.scope", "uprobe", ProbeState::degraded, 0,
                       "attached one by one, for want of an uprobe_multi that sees all threads of a process: the "
                       "kernel needs seconds to let go of each process that ends"});
  processes_ = std::make_unique<TlsProcesses>(*detacher_);
  return Done{};
}

Status TlsFamily::load(const TlsFamilySettings& settings, const SharedMaps& shared, bool sockets) {
  std::size_t size = 0;
  const void* bytes = kernel_has_callbacks() ? tls_bpf::elf_bytes(&size) : tls_old_bpf::elf_bytes(&size);
  const KernelTypes types(bytes, size);
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "tls_bpf", .btf_custom_path = types.path());
  object_.reset(bpf_object__open_mem(bytes, size, &options), &bpf_object__close);
  if (!object_) return Error{"open the TLS family", errno, ""};
  if (Status same = shared.share_with(object_.get()); !same) return same;
  const std::pair<const char*, std::uint32_t> sizes[] = {{"aa_tls_ring", settings.ring_bytes},
                                                         {"aa_tls_calls", settings.calls},
                                                         {"aa_tls_connections", settings.connections}};
  for (const auto& [name, entries] : sizes)
    bpf_map__set_max_entries(bpf_object__find_map_by_name(object_.get(), name), entries);
  for (const char* unused : {"aa_scratch", "aa_moves"})
    bpf_map__set_autocreate(bpf_object__find_map_by_name(object_.get(), unused), false);
  allocate_beforehand(object_.get());
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    if (multi_ && is_uprobe(program)) mark_for_uprobe_multi(program);
  }
  choose_socket_programs(object_.get(), sockets);
  forget_libbpf_log();
  const int error = bpf_object__load(object_.get());
  give_back(bytes, size);
  if (error != 0) return Error{"load the TLS family: " + reason_in(libbpf_log()), -error, ""};
  return Done{};
}

// On a function of our own first: what would hurt somebody hurts a child of ours.
Status TlsFamily::try_out() {
  if (return_probes_ != TlsReturnProbes::nowhere) {
    if (Status attached = attach_trial(kReturn, trial_offset()); !attached) return attached;
    if (survives_filter()) return Done{};
    trial_links_.clear();
    return_probes_ = TlsReturnProbes::nowhere;
    states_.push_back({"tls", kReturn, "uretprobe", ProbeState::degraded, 0,
                       "return probes kill programs under a system call filter on this kernel: functions' own returns "
                       "are probed"});
  }
  if (Status attached = attach_trial(kEnd, trial_return_offset()); !attached) return attached;
  if (survives_filter()) return Done{};
  return Error{"probes kill programs under a system call filter on this kernel", 0, ""};
}

Status TlsFamily::attach_trial(const char* end, std::uint64_t end_offset) {
  if (end_offset == 0) return Error{"find the function to try the TLS family on", 0, ""};
  const std::pair<const char*, std::uint64_t> steps[] = {{end, end_offset}, {kEnter, trial_offset()}};
  for (const auto& [program, offset] : steps)
    if (Status attached =
            attacher_.attach_sites(program, "/proc/self/exe", {{offset, AA_TLS_SSL_WRITE, 0}}, 0, trial_links_);
        !attached)
      return attached;
  return Done{};
}

bool TlsFamily::carries(const std::string& path) {
  if (!runs()) return false;
  const auto library = read(path);
  return library && *library;
}

Result<std::optional<TlsLibrary>> TlsFamily::read(const std::string& path, std::uint32_t rewritings) {
  const TlsPlaces places{return_probes_, kernel_has_callbacks(), rewritings};
  auto library = patience_.ask([path, places] { return read_tls_library(path, places); });
  if (!library) return Error{"read " + path + ": its file system does not answer", ETIMEDOUT, ""};
  return std::move(*library);
}

TlsAttacher::Attached TlsFamily::attach_to(const std::shared_ptr<const TlsLibrary>& library, std::uint32_t pid) {
  auto attached = patience_.ask([attacher = attacher_, library, pid] { return attacher.attach(*library, pid); });
  if (!attached) return {Error{"attach: its file system does not answer", ETIMEDOUT, ""}, {}};
  return std::move(*attached);
}

TlsFamily::Found TlsFamily::attach(const std::string& path, const std::string& name) {
  if (!runs()) return Found::nothing;
  const auto known = met_.find(met_at(path).first);
  if (known != met_.end() && !known->second.may_be_attached()) return Found::nothing;
  auto library = read(path, known != met_.end() ? known->second.rewritings : 0);
  const auto not_read = [this](int error) { return tell_not_read(error), Found::not_read; };
  if (!library && may_be_read_later(library.error().errno_value)) return not_read(library.error().errno_value);
  const bool carries = library && *library;
  if (!carries && !is_tls_library_name(last_component(name))) return Found::nothing;
  if (known == met_.end() && !has_room()) return tell_no_room(), Found::nothing;
  MetFile* met = known != met_.end() ? &*known : meet(path, name);
  if (met == nullptr) return may_be_read_later(errno) ? not_read(errno) : Found::nothing;
  listen(met->second, std::move(library));
  news_ = true;
  return met->second.unattached ? Found::not_read : Found::library;
}

// A file that its process has let go of meanwhile is nobody's fault; without descriptors, memory or an answer we miss
// something.
void TlsFamily::tell_not_read(int error) {
  if (error == ENOENT || error == ESRCH || not_read_) return;
  not_read_ = news_ = true;
  states_.push_back({"tls", "aa_tls_files", "uprobe", ProbeState::degraded, error,
                     "a file could not be looked into; it is when somebody maps it again"});
}

void TlsFamily::tell_too_many() {
  if (std::exchange(too_many_, true)) return;
  news_ = true;
  states_.push_back({"tls", "aa_tls_mappings", "uprobe", ProbeState::degraded, 0,
                     "a process has more than " + std::to_string(kMostMapped) +
                         " files mapped to be executed: the others are not looked into"});
}

void TlsFamily::tell_no_room() {
  count_unseen();
  if (std::exchange(no_room_, true)) return;
  news_ = true;
  states_.push_back({"tls", "aa_tls_libraries", "uprobe", ProbeState::degraded, 0,
                     std::to_string(kMostLibraries) + " libraries are known: no other is listened to until a restart"});
}

// Null: it is gone, cannot be opened (errno), or was met before (errno 0).
TlsFamily::MetFile* TlsFamily::meet(const std::string& path, const std::string& name) {
  auto opened = patience_.ask([path, changes = changes_] { return open_met(path, changes->get()); });
  errno = opened ? opened->error : ETIMEDOUT;
  if (errno != 0) return nullptr;
  const auto [place, is_new] = met_.try_emplace(opened->numbers);
  if (!is_new) return nullptr;
  Met& met = place->second;
  met.file = std::move(opened->file);
  met.watch = opened->watch;
  met.change = change_of(met.file);
  met.state = states_.size();
  if (met.watch >= 0) watches_.emplace(met.watch, &*place);
  states_.push_back({"tls", free_name(name, opened->numbers), (multi_ ? "uprobe_multi:" : "uprobe:") + name,
                     ProbeState::failed, 0, ""});
  return &*place;
}

// Two states of one name would be taken for one that changes all the time. Who mounts one file system after the other
// in one place may give all files there one inode.
std::string TlsFamily::free_name(const std::string& name, const FileNumbers& file) const {
  const auto is_taken = [this](const std::string& program) {
    return std::any_of(states_.begin(), states_.end(),
                       [&](const ProbeBody& other) { return other.program == program; });
  };
  std::string program(last_component(name));
  if (is_taken(program)) program = name;
  while (is_taken(program))
    program += " (device " + std::to_string(gnu_dev_major(file.first)) + ":" +
               std::to_string(gnu_dev_minor(file.first)) + ", inode " + std::to_string(file.second) + ")";
  return program;
}

void TlsFamily::listen(Met& met, Result<std::optional<TlsLibrary>> library) {
  ProbeBody& state = states_[met.state];
  state.state = ProbeState::failed;
  state.error_number = 0;
  met.unattached = false;
  if (!library || !*library) {
    state.reason = library ? "it exports none of a TLS library's functions" : library.error().doing;
    met.unattached = !library && may_be_read_later(library.error().errno_value);
    return;
  }
  const auto shared = std::make_shared<const TlsLibrary>(std::move(**library));
  met.library = shared;
  if (processes_) {
    tell_standby(state, *shared);
    tell_unwatched(state, met.watch);
    tell_not_firing(state);
    return;
  }
  TlsAttacher::Attached attached = attach_to(shared, 0);
  met.links = std::move(attached.links);
  met.unattached = !attached.status && may_be_read_later(attached.status.error().errno_value);
  if (!attached.status) {
    state.error_number = attached.status.error().errno_value;
    state.reason = attached.status.error().doing;
    return;
  }
  tell_places(state, *shared);
  tell_unwatched(state, met.watch);
  tell_not_firing(state);
}

// A rewrite in place would leave us at places where its functions no longer are.
void TlsFamily::tell_unwatched(ProbeBody& state, int watch) {
  if (watch >= 0) return;
  state.state = ProbeState::degraded;
  state.error_number = -watch;
  state.reason = "nobody will notice when it is rewritten in place (fs.inotify.max_user_watches may be too small); " +
                 state.reason;
}

void TlsFamily::tell_standby(ProbeBody& state, const TlsLibrary& library) {
  tell_places(state, library);
  state.error_number = 0;
  if (state.state == ProbeState::attached) state.state = ProbeState::standby;
  state.reason = "attached to in each watched process by itself, aactl explain PID says of which: " + state.reason;
}

void TlsFamily::tell_places(ProbeBody& state, const TlsLibrary& library) {
  state.state = library.unseen.empty() && library.missing.empty() ? ProbeState::attached : ProbeState::degraded;
  state.reason = places_in(library);
  if (!library.unseen.empty()) state.reason = "not seen: " + listed(library.unseen) + "; " + state.reason;
  if (!library.missing.empty()) state.reason = "it does not export " + listed(library.missing) + "; " + state.reason;
}

// Of a file that is open already, by a link of /proc: as the kernel has it, nobody is asked.
std::pair<FileNumbers, const TlsFamily::Met*> TlsFamily::met_at(const std::string& path) const {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_INO, &status) != 0) return {};
  const FileNumbers file{gnu_dev_makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino};
  const auto found = met_.find(file);
  return {file, found == met_.end() ? nullptr : &found->second};
}

void TlsFamily::set_watching(bool on) {
  watching_ = on;
  if (!runs() || on == !socket_links_.empty()) return;
  socket_links_.clear();
  if (!on) return;
  for (const auto& pair : {kSocketTracepoints, kSocketFunctions}) {
    for (const char* name : pair) {
      const bpf_program* program = bpf_object__find_program_by_name(object_.get(), name);
      if (LinkPtr link(bpf_program__fd(program) < 0 ? nullptr : bpf_program__attach(program)); link)
        socket_links_.push_back(std::move(link));
    }
  }
}

void TlsFamily::set_reader_idle() {
  if (!runs()) return;
  __atomic_store_n(&static_cast<aa_tls_settings*>(settings_map_.data())->idle, 1u, __ATOMIC_SEQ_CST);
}

void TlsFamily::mark_not_firing(const std::string& reason) {
  not_firing_ = reason;
  for (ProbeBody& state : states_) tell_not_firing(state);
}

void TlsFamily::tell_not_firing(ProbeBody& state) const {
  const bool seems_to = state.state == ProbeState::attached || state.state == ProbeState::standby;
  if (not_firing_.empty() || !seems_to) return;
  state.state = ProbeState::degraded;
  state.reason = not_firing_;
}

// ---- what was left behind ----

std::optional<ProcessId> TlsFamily::watched(std::uint32_t pid) const {
  aa_watched entry{};
  if (!runs() || bpf_map_lookup_elem(map_fd("aa_watched"), &pid, &entry) != 0) return std::nullopt;
  return ProcessId{pid, entry.start_ns};
}

bool TlsFamily::is_gone(std::uint32_t tgid, std::uint64_t start_ns) const {
  aa_watched entry{};
  return bpf_map_lookup_elem(map_fd("aa_watched"), &tgid, &entry) != 0 || entry.start_ns != start_ns;
}

void TlsFamily::sweep(std::uint64_t now_boot_ns) {
  if (!runs()) return;
  sweep_calls();
  sweep_connections(now_boot_ns);
  let_go_of_unwatched();
}

void TlsFamily::sweep_calls() {
  const bpf_map* map = bpf_object__find_map_by_name(object_.get(), "aa_tls_calls");
  for (const aa_tls_call_key& key : keys_of<aa_tls_call_key>(map)) {
    aa_tls_call call{};
    if (bpf_map_lookup_elem(bpf_map__fd(map), &key, &call) != 0) continue;
    const bool never_ends = is_gone(key.tgid, call.start_ns) ||
                            ::tgkill(static_cast<pid_t>(key.tgid), static_cast<pid_t>(call.tid), 0) != 0;
    if (never_ends) bpf_map_delete_elem(bpf_map__fd(map), &key);
  }
}

void TlsFamily::sweep_connections(std::uint64_t now_boot_ns) {
  const bpf_map* map = bpf_object__find_map_by_name(object_.get(), "aa_tls_connections");
  for (const aa_tls_object& key : keys_of<aa_tls_object>(map)) {
    aa_tls_state state{};
    if (bpf_map_lookup_elem(bpf_map__fd(map), &key, &state) != 0) continue;
    const bool freed = state.freed_ns != 0 && state.freed_ns + kKeepFreedNs < now_boot_ns;
    const bool left = is_gone(key.tgid, state.start_ns) && state.used_ns + kKeepFreedNs < now_boot_ns &&
                      state.born_ns + kKeepFreedNs < now_boot_ns;
    if (freed || left) bpf_map_delete_elem(bpf_map__fd(map), &key);
  }
}

void TlsFamily::forget_starts() {
  if (!runs()) return;
  const bpf_map* map = bpf_object__find_map_by_name(object_.get(), "aa_tls_connections");
  for (const aa_tls_object& key : keys_of<aa_tls_object>(map)) {
    aa_tls_state state{};
    if (bpf_map_lookup_elem(bpf_map__fd(map), &key, &state) != 0) continue;
    if ((state.flags & AA_TLS_FLAG_FROM_START) == 0 || !goes_on_unheard(key.tgid, state)) continue;
    state.flags &= ~AA_TLS_FLAG_FROM_START;  // of what its own process goes on with another state is made anyway
    bpf_map_update_elem(bpf_map__fd(map), &key, &state, BPF_EXIST);
  }
}

// A process that has ended says nothing: what its forks have of it goes on where it was.
bool TlsFamily::goes_on_unheard(std::uint32_t tgid, const aa_tls_state& state) const {
  aa_watched entry{};
  if (bpf_map_lookup_elem(map_fd("aa_watched"), &tgid, &entry) == 0 && entry.start_ns == state.start_ns)
    return state.since != entry.since + state.listening;
  char first = 0;
  const bool lives = ::readlink(("/proc/" + std::to_string(tgid) + "/root").c_str(), &first, 1) > 0;
  return lives && began_at(tgid, state.start_ns);
}

std::uint64_t TlsFamily::recursion_misses() const {
  if (!runs()) return 0;
  std::uint64_t misses = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) misses += info_of(program).recursion_misses;
  return misses;
}

int TlsFamily::ring_fd() const {
  return runs() ? map_fd("aa_tls_ring") : -1;
}

int TlsFamily::map_fd(const char* name) const {
  return bpf_map__fd(bpf_object__find_map_by_name(object_.get(), name));
}

}  // namespace aa
