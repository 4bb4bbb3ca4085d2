#include "probe/uprobe_multi.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <span>
#include <thread>

#include "base/quiet_thread.h"
#include "probe/tls_trial.h"

namespace aa {
namespace {

constexpr std::uint32_t kAttachType = 48;  // BPF_TRACE_UPROBE_MULTI
constexpr std::uint32_t kReturnFlag = 1u;  // BPF_F_UPROBE_MULTI_RETURN

// union bpf_attr, link_create, uprobe_multi: include/uapi/linux/bpf.h of 6.6.
struct LinkCreate {
  std::uint32_t program;
  std::uint32_t target;
  std::uint32_t attach_type;
  std::uint32_t flags;
  std::uint64_t path;
  std::uint64_t offsets;
  std::uint64_t reference_counters;
  std::uint64_t cookies;
  std::uint32_t count;
  std::uint32_t multi_flags;
  std::uint32_t pid;
  std::uint32_t padding;
};

std::uint64_t address_of(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data);
}

int create(int program, const char* path, const std::vector<std::uint64_t>& offsets,
           const std::vector<std::uint64_t>& cookies, std::uint32_t flags, std::uint32_t pid = 0) {
  LinkCreate request{};
  request.program = static_cast<std::uint32_t>(program);
  request.attach_type = kAttachType;
  request.path = address_of(path);
  request.offsets = address_of(offsets.data());
  request.cookies = address_of(cookies.data());
  request.count = static_cast<std::uint32_t>(offsets.size());
  request.multi_flags = flags;
  request.pid = pid;
  return static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &request, sizeof(request)));
}

// A folder can have no probes: a kernel that knows the request says just that.
bool try_on_folder() {
  const UniqueFd program = empty_uprobe_multi_program();
  if (!program) return false;
  const UniqueFd link(create(program.get(), "/", {0}, {0}, 0));
  return !link && errno == EBADF;
}

constexpr bpf_insn kReturnNothing = {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0};
constexpr bpf_insn kExit = {BPF_JMP | BPF_EXIT, 0, 0, 0, 0};

UniqueFd load(std::span<const bpf_insn> code) {
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = static_cast<bpf_attach_type>(kAttachType));
  return UniqueFd(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "aa_try", "GPL", code.data(), code.size(), &options));
}

// A program that notes that it was run, attached to this process, and a second thread that comes by.
bool try_with_thread() {
  const UniqueFd noted(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "aa_try", sizeof(std::uint32_t), sizeof(std::uint64_t), 1, nullptr));
  if (!noted || trial_offset() == 0) return false;
  const std::array code = {bpf_insn{BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, noted.get()},
                           bpf_insn{}, bpf_insn{BPF_ST | BPF_DW | BPF_MEM, BPF_REG_1, 0, 0, 1}, kReturnNothing, kExit};
  const UniqueFd program = load(code);
  if (!program) return false;
  const UniqueFd link(
      create(program.get(), "/proc/self/exe", {trial_offset()}, {0}, 0, static_cast<std::uint32_t>(::getpid())));
  if (!link) return false;
  quiet_thread(&call_trial).join();
  const std::uint32_t first = 0;
  std::uint64_t runs = 0;
  return bpf_map_lookup_elem(noted.get(), &first, &runs) == 0 && runs != 0;
}

}  // namespace

UniqueFd empty_uprobe_multi_program() {
  return load(std::array{kReturnNothing, kExit});
}

bool kernel_has_uprobe_multi() {
  static const bool has = try_on_folder();
  return has;
}

bool uprobe_multi_sees_threads() {
  static const bool sees = try_with_thread();
  return sees;
}

void mark_for_uprobe_multi(bpf_program* program) {
  bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(kAttachType));
}

Result<UniqueFd> attach_uprobe_multi(int program, const std::string& name, const std::string& path,
                                     const std::vector<TlsSite>& sites, bool at_return, std::uint32_t pid) {
  std::vector<std::uint64_t> offsets, cookies;
  for (const TlsSite& site : sites) {
    offsets.push_back(site.offset);
    cookies.push_back(site.cookie());
  }
  UniqueFd link(create(program, path.c_str(), offsets, cookies, at_return ? kReturnFlag : 0, pid));
  if (!link) return Error{"attach " + name, errno, ""};
  return link;
}

void close_at_once(std::vector<UniqueFd> links) {
  std::vector<std::thread> threads;
  try {
    threads.reserve(links.size());
    for (UniqueFd& link : links) threads.push_back(quiet_thread([&link] { link.reset(); }));
  } catch (const std::exception&) {  // no room for a thread: the rest is closed one by one
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace aa
