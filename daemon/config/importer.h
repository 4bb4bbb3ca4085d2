// config/importer.h: carries out ImportPlans: reads what targets promised, and translates it.
//
// Comes in: plans. Goes out: completions, one a plan. The files are the watched program's own: they may lie where
// reading hangs. So there is a thread for each user while that user's files are read, and whoever has not answered in
// time is told of as broken; nobody waits for another user's files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "state/plan.h"

namespace aa {

class Importer {
 public:
  static Result<std::unique_ptr<Importer>> make();
  ~Importer();  // does not wait for a file that hangs

  void ask(const ImportPlan& plan, std::uint64_t now_boot_ns);
  int fd() const;  // readable when there are answers
  std::vector<Imported> take();

  // Gives up on those that take too long; they are among the answers then.
  std::optional<std::uint64_t> next_deadline() const;  // boot time
  void on_time(std::uint64_t now_boot_ns);

 private:
  struct Work;
  explicit Importer(std::shared_ptr<Work> work) : work_(std::move(work)) {}

  bool start(std::uint32_t uid);  // the user's thread; false: there can be no more

  std::shared_ptr<Work> work_;  // the threads' too: they may outlive us
};

// One plan, at once: as its files are now. The process being gone means no promises.
Imported import_now(const ImportPlan& plan);

}  // namespace aa
