// probe/hold_guard.h: nobody stands still for longer than they should, and nobody at all once the daemon has ended.
//
// A process of its own, a child of the daemon: it lets go of whom the daemon keeps for too long, whatever the daemon is
// doing, and of everybody when the daemon is gone, however it went. It hears of each who is held first, and passes it
// on. When the guard itself dies, the daemon does the same, and nobody is held any more.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "abi/filter.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "probe/held.h"

namespace aa {

// What bpf/hold.bpf.c shares with user space.
struct HoldMaps {
  UniqueFd on;
  UniqueFd held;
  UniqueFd ring;
};

// In memory that both see.
struct BothLettingGo {
  LettingGo daemon, guard;
};

class HoldGuard {
 public:
  // To be called before there are threads: the guard goes on in a copy of this process. Cost: a fork.
  static Result<std::unique_ptr<HoldGuard>> start(std::uint32_t limit_ms);
  // Nobody is held when this is over.
  ~HoldGuard();

  const HoldMaps& maps() const { return maps_; }
  std::uint64_t limit_ns() const { return limit_ns_; }  // after which it lets go
  bool let_go(std::uint32_t pid) { return aa::let_go(maps_.held.get(), pid, both_->daemon); }
  // Readable when a record can be taken, and when the guard is gone.
  int fd() const { return records_.get(); }
  // False: the guard is gone, and so everybody has been let go of.
  bool take(const std::function<void(const aa_hold_record&)>& give);
  // Processes are held from now on.
  void begin();

 private:
  HoldGuard() = default;
  void end();

  HoldMaps maps_;
  BothLettingGo* both_ = nullptr;
  UniqueFd records_;
  std::uint64_t limit_ns_ = 0;
  pid_t child_ = -1;
};

}  // namespace aa
