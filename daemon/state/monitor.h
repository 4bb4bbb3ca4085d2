// state/monitor.h: the one owner of state.
//
// Comes in: events, commands, completions, kernel counts, time. Goes out: finished events, plans, answers. Pure: the
// same inputs give the same outputs on any machine. It asks nothing and knows no BPF, no bus, no file, no clock.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state/lineage.h"
#include "state/plan.h"
#include "state/targets.h"

namespace aa {

// What reconciling with the kernel has repaired so far, in processes.
struct RepairCounts {
  std::uint64_t reconciled_lost_exits = 0;  // believed alive, and gone
  std::uint64_t reconciled_found = 0;       // watched, and unknown
};

class Monitor {
 public:
  struct Settings {
    std::string boot_id;                  // /proc/sys/kernel/random/boot_id
    std::int64_t realtime_offset_ns = 0;  // CLOCK_REALTIME − CLOCK_BOOTTIME
    std::uint32_t watched_limit = 65'536;
    std::uint32_t target_share = 32'768;  // live processes a target may hold
    TextBudget::Limits texts;
    std::size_t keep_exited_targets = 256;
    Policy policy;  // until a configuration says otherwise
    std::chrono::nanoseconds standby_after = std::chrono::seconds(5);
    std::vector<std::string> homes;  // what ~ stands for in path rules
  };

  explicit Monitor(Settings settings);
  ~Monitor();

  Step on_event(Event event);   // a decoded, redacted record
  Step apply(Command command);  // answered by a later completion, or at once when refused
  Step complete(Completion completion);
  Step on_counts(const KernelCounts& counts);  // loss events, alerts, adoption of the refused, reconcile
  Step on_probe(ProbeBody probe);              // a program's state changed
  Step on_time(std::uint64_t now_boot_ns);     // expiry, periodic reconcile, standby

  // Absolute boot time when on_time wants to be called, nullopt: not until something happens.
  std::optional<std::uint64_t> next_deadline() const;

  const Lineage& lineage() const;
  std::vector<const Target*> targets() const;  // running first, then exited, by key
  const Target* target(std::uint32_t key) const;
  // By id, by a name that one target alone has, or root pid in digits; a refusal says which of these failed. Of several
  // targets with that name or pid, the only running one is meant; an exited one only where none runs.
  std::variant<const Target*, Refusal> resolve_target(std::string_view text) const;
  // Every process of a target, living and remembered, parents before children.
  std::vector<const Process*> tree(const Target& target) const;

  const std::vector<ProbeBody>& probes() const;
  const std::vector<LedgerRow>& ledger() const;  // as of the last on_counts
  std::uint64_t delivered() const;               // events numbered so far
  RepairCounts repairs() const;
  // The path rules in force; never null, generation 0 with no rules before the first set.
  const PathRules& path_rules() const;
  const DetectTable& detect_table() const;        // what execs are judged by
  const std::vector<TargetWish>& wishes() const;  // what the configuration in force wants watched
  // What targets promised, by their root; also what the daemon before knew of those not found again yet.
  std::map<ProcessId, std::vector<PathRule>> promises() const;
  bool sees_files() const;                 // a program of the file family is attached or waits to be
  std::uint64_t allowed() const;           // file records not delivered because a rule allows them
  std::uint64_t consumed_records() const;  // kernel records taken in by on_event: attempts = consumed + lost

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace aa
