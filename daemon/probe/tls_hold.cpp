#include "probe/tls_hold.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "hold.skel.h"
#include "probe/embedded.h"
#include "probe/held.h"
#include "probe/kernel_types.h"
#include "probe/libbpf_log.h"

namespace aa {

struct TlsHold::Set {
  std::array<const char*, 2> programs;  // the second may be null
  const char* hook;
  bool rests;  // while nothing is watched
};

namespace {

constexpr std::uint64_t kLookAgainNs = 500'000;  // a stop takes effect on the way out of the kernel
constexpr std::uint64_t kToldWithinNs = 10'000'000'000;
constexpr std::uint64_t kPatience = 5;  // a fifth of the limit: then a thread that does not come out is not waited for

}  // namespace

std::unique_ptr<TlsHold> TlsHold::make(std::unique_ptr<HoldGuard> guard, const SharedMaps& shared) {
  static const std::array kSets = {Set{{"aa_hold", nullptr}, "fentry/security_mmap_file", false},
                                   Set{{"aa_hold_mmap", "aa_hold_exec"}, "raw_tp/sys_exit", true}};
  std::unique_ptr<TlsHold> hold(new TlsHold);
  hold->guard_ = std::move(guard);
  for (const Set& set : kSets) {
    const Status opened = hold->open(set, shared);
    hold->state_ = {"tls", "aa_hold", set.hook, ProbeState::attached, 0, ""};
    if (opened) {
      hold->set_ = &set;
      hold->set_watching(false);
      return hold;
    }
    hold->links_.clear();
    hold->state_.state = ProbeState::unavailable;
    hold->state_.error_number = opened.error().errno_value;
    hold->state_.reason = opened.error().doing + ": nobody is held";
  }
  return hold;
}

Status TlsHold::open(const Set& set, const SharedMaps& shared) {
  std::size_t size = 0;
  const void* bytes = hold_bpf::elf_bytes(&size);
  const KernelTypes types(bytes, size);
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "hold_bpf", .btf_custom_path = types.path());
  object_.reset(bpf_object__open_mem(bytes, size, &options));
  if (!object_) return Error{"open the programs that hold", errno, ""};
  if (Status same = shared.share_with(object_.get()); !same) return same;
  const std::pair<const char*, int> ours[] = {{"aa_hold_on", guard_->maps().on.get()},
                                              {"aa_held", guard_->maps().held.get()},
                                              {"aa_hold_ring", guard_->maps().ring.get()}};
  for (const auto& [name, fd] : ours)
    if (const int error = bpf_map__reuse_fd(bpf_object__find_map_by_name(object_.get(), name), fd); error != 0)
      return Error{std::string("share the map ") + name, -error, ""};
  for (const char* unused : {"aa_scratch", "aa_moves"})
    bpf_map__set_autocreate(bpf_object__find_map_by_name(object_.get(), unused), false);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    const std::string_view name = bpf_program__name(program);
    bpf_program__set_autoload(program, std::any_of(set.programs.begin(), set.programs.end(), [&](const char* wanted) {
                                return wanted != nullptr && name == wanted;
                              }));
  }
  forget_libbpf_log();
  const int error = bpf_object__load(object_.get());
  give_back(bytes, size);
  if (error != 0) return Error{"load the programs that hold: " + reason_in(libbpf_log()), -error, ""};
  return attach();
}

Status TlsHold::attach() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    if (!bpf_program__autoload(program)) continue;
    links_.emplace_back(bpf_program__attach(program));
    if (!links_.back()) return Error{std::string("attach ") + bpf_program__name(program), errno, ""};
  }
  return Done{};
}

void TlsHold::set_watching(bool on) {
  if (!runs() || !set_->rests || on == !links_.empty()) return;
  links_.clear();
  const Status attached = on ? attach() : Status(Done{});
  state_.state = !attached ? ProbeState::failed : on ? ProbeState::attached : ProbeState::standby;
  state_.reason = !attached ? attached.error().doing : on ? "" : "rests while nothing is watched";
}

bool TlsHold::take() {
  const bool guarded = guard_->take([this](const aa_hold_record& record) {
    Waiting& waiting = waiting_.try_emplace(record.tgid, Waiting{record.since_ns, {}}).first->second;
    waiting.files.push_back(record.file);
    look_at_ = boot_ns();
  });
  if (guarded) return true;
  set_ = nullptr;
  links_.clear();
  state_.state = ProbeState::failed;
  state_.reason = "its guard was killed: nobody is held until a restart";
  return false;
}

std::vector<TlsHold::Held> TlsHold::ready() {
  std::vector<Held> ready;
  const std::uint64_t now = boot_ns();
  for (const auto& [pid, waiting] : waiting_)
    if (!holds(pid) || stands_still(pid) || waiting.since_ns + guard_->limit_ns() / kPatience < now)
      ready.push_back({pid, waiting.since_ns});
  look_at_ = ready.size() < waiting_.size() ? now + kLookAgainNs : 0;
  return ready;
}

std::optional<std::uint64_t> TlsHold::next_deadline() const {
  return look_at_ == 0 ? std::nullopt : std::optional(look_at_);
}

bool TlsHold::holds(std::uint32_t pid) const {
  aa_held held{};
  return runs() && bpf_map_lookup_elem(guard_->maps().held.get(), &pid, &held) == 0;
}

void TlsHold::know(const aa_hold_file& file) {
  const int known = bpf_map__fd(bpf_object__find_map_by_name(object_.get(), "aa_hold_known"));
  const std::uint32_t one = 1;
  (void)bpf_map_update_elem(known, &file, &one, BPF_ANY);
}

bool TlsHold::let_go(std::uint32_t pid, const std::function<bool(const aa_hold_file&)>& is_of_each_process) {
  const auto node = waiting_.extract(pid);
  if (node.empty()) return false;
  const bool is_late = !holds(pid) && was_held_since(pid, node.mapped().since_ns);
  bool held = is_late || (holds(pid) && stands_still(pid));
  if (held)  // else they may not have been mapped yet when they were looked for
    for (const aa_hold_file& file : node.mapped().files)
      if (!is_of_each_process(file)) know(file);
  if (is_late) return true;
  const std::uint64_t until = boot_ns();
  held = guard_->let_go(pid) && held;
  ++counts_.held;
  if (!held) ++counts_.missed;
  if (held) note_held(pid, until);
  return held;
}

// Of two files that were mapped before one stop the second may be told when the first has been looked into, and both
// with it.
bool TlsHold::was_held_since(std::uint32_t pid, std::uint64_t ns) const {
  const auto until = held_until_.find(pid);
  return until != held_until_.end() && ns < until->second;
}

void TlsHold::note_held(std::uint32_t pid, std::uint64_t until_ns) {
  std::erase_if(held_until_, [&](const auto& one) { return one.second + kToldWithinNs < until_ns; });
  held_until_[pid] = until_ns;
}

}  // namespace aa
