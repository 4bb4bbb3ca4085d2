#include "probe/hold_guard.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <new>

#include "base/clock.h"
#include "probe/refusal.h"

namespace aa {
namespace {

Status make_maps(HoldMaps& maps) {
  maps.on.reset(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "aa_hold_on", sizeof(std::uint32_t), sizeof(std::uint32_t), 1, nullptr));
  maps.held.reset(
      bpf_map_create(BPF_MAP_TYPE_HASH, "aa_held", sizeof(std::uint32_t), sizeof(aa_held), AA_HELD_MAX, nullptr));
  maps.ring.reset(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "aa_hold_ring", 0, 0, AA_HOLD_RING_BYTES, nullptr));
  if (!maps.on || !maps.held || !maps.ring)
    return Error{"make the maps for holding processes", errno, hint_for(errno), is_lasting(errno)};
  return Done{};
}

void set_on(const HoldMaps& maps, std::uint32_t on) {
  const std::uint32_t zero = 0;
  (void)bpf_map_update_elem(maps.on.get(), &zero, &on, BPF_ANY);
}

// Nobody is held from here on. A program that saw it on has ended when the barrier is over, its signal sent. What the
// other one of the two was about when it died is finished.
void let_everybody_go(const HoldMaps& maps, LettingGo& mine, LettingGo& others) {
  constexpr unsigned kLongerThanAProgram = 50'000;  // µs
  set_on(maps, 0);
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0) ::usleep(kLongerThanAProgram);
  for (const std::uint32_t pid : held_processes(maps.held.get())) (void)let_go(maps.held.get(), pid, mine);
  finish(others);
}

// True: somebody is still held.
bool let_overdue_go(const HoldMaps& maps, LettingGo& mine, std::uint64_t limit_ns) {
  bool any = false;
  for (const std::uint32_t pid : held_processes(maps.held.get())) {
    aa_held held{};
    if (bpf_map_lookup_elem(maps.held.get(), &pid, &held) != 0) continue;
    if (held.since_ns + limit_ns <= boot_ns())
      (void)let_go(maps.held.get(), pid, mine);
    else
      any = true;
  }
  return any;
}

// ---- the guard's own process ----

void keep_only(std::array<int, 4> kept) {
  const int null = ::open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, standard);
  std::sort(kept.begin(), kept.end());
  unsigned from = STDERR_FILENO + 1;
  for (const int fd : kept) {
    if (static_cast<unsigned>(fd) > from) ::syscall(SYS_close_range, from, static_cast<unsigned>(fd) - 1, 0);
    from = static_cast<unsigned>(fd) + 1;
  }
  ::syscall(SYS_close_range, from, std::numeric_limits<unsigned>::max(), 0);
}

int pass_on(void* daemon, void* record, std::size_t size) {
  (void)::send(*static_cast<int*>(daemon), record, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  return 0;
}

// It ends with the daemon, and not by a signal that is meant for both.
[[noreturn]] void guard(const HoldMaps& maps, BothLettingGo& both, int daemon, std::uint64_t limit_ns) {
  constexpr int kLookAgainMs = 5;
  for (const int one : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT}) ::signal(one, SIG_IGN);
  ::prctl(PR_SET_NAME, "aa-hold-guard");
  keep_only({maps.on.get(), maps.held.get(), maps.ring.get(), daemon});
  ring_buffer* ring = ring_buffer__new(maps.ring.get(), &pass_on, &daemon, nullptr);
  if (ring == nullptr) ::_exit(1);
  std::array<pollfd, 2> polled = {pollfd{daemon, POLLIN, 0}, pollfd{ring_buffer__epoll_fd(ring), POLLIN, 0}};
  for (bool any = false; polled[0].revents == 0;) {
    (void)::poll(polled.data(), polled.size(), any ? kLookAgainMs : -1);
    (void)ring_buffer__consume(ring);
    any = let_overdue_go(maps, both.guard, limit_ns);
  }
  let_everybody_go(maps, both.guard, both.daemon);
  ::_exit(0);
}

}  // namespace

Result<std::unique_ptr<HoldGuard>> HoldGuard::start(std::uint32_t limit_ms) {
  constexpr std::uint64_t kNsPerMs = 1'000'000;
  std::unique_ptr<HoldGuard> made(new HoldGuard);
  made->limit_ns_ = limit_ms * kNsPerMs;
  if (Status maps = make_maps(made->maps_); !maps) return maps.error();
  void* memory = ::mmap(nullptr, sizeof(BothLettingGo), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error{"share memory with the guard of held processes", errno, ""};
  made->both_ = new (memory) BothLettingGo;
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return Error{"make a socket for the guard of held processes", errno, ""};
  made->records_.reset(ends[0]);
  const UniqueFd others(ends[1]);
  made->child_ = ::fork();
  if (made->child_ < 0) return Error{"start the guard of held processes", errno, ""};
  if (made->child_ == 0) guard(made->maps_, *made->both_, others.get(), made->limit_ns_);
  return made;
}

HoldGuard::~HoldGuard() {
  end();
  if (both_ != nullptr) ::munmap(both_, sizeof(*both_));
}

void HoldGuard::begin() {
  set_on(maps_, 1);
}

bool HoldGuard::take(const std::function<void(const aa_hold_record&)>& give) {
  aa_hold_record record{};
  ssize_t length = 0;
  while ((length = ::recv(records_.get(), &record, sizeof(record), MSG_DONTWAIT)) == sizeof(record)) give(record);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  end();
  let_everybody_go(maps_, both_->daemon, both_->guard);
  return false;
}

// Its end of the socket gone, the guard lets everybody go, and ends.
void HoldGuard::end() {
  if (child_ <= 0) return;
  records_.reset();
  ::kill(child_, SIGCONT);  // somebody may have stopped it
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) continue;
  child_ = -1;
}

}  // namespace aa
