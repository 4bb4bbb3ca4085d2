// state/targets.h: the table of what is watched and why.
//
// Pure. A target is a root process, or the processes of a systemd unit, and everything that descends from it; it owns a
// kernel slot while it runs. Keys are small numbers that are never reused within one daemon's life; ids are UUIDv5 of
// boot id and root.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state/plan.h"

namespace aa {

struct Target {
  std::uint32_t key = 0;  // 1, 2, …
  std::string id;
  std::string name;
  ProcessId root;                          // {} of a unit
  std::string unit;                        // its name, or a control group's path; "" when the target is neither
  std::shared_ptr<const TargetWish> wish;  // of the configuration that asked for it; null: somebody else did
  std::string cgroup;                      // of a unit
  TargetSource source = TargetSource::dbus;
  TlsLevel tls = TlsLevel::redacted;
  std::uint32_t owner_uid = 0;
  std::uint32_t slot = 0;   // full slot value; meaningful while running
  std::uint32_t outer = 0;  // key of the target it is nested in, 0 none
  bool on_bus = false;      // the bus asked for it, whoever else did
  bool running = true;      // false: exited (every process gone)
  std::uint64_t started_boot_ns = 0;
  std::uint64_t ended_boot_ns = 0;
  std::uint64_t live = 0;       // processes alive now, as lineage knows
  std::uint64_t processes = 0;  // ever
  std::uint64_t adopted = 0;
  std::uint64_t events = 0;    // delivered to the sinks
  std::uint64_t attempts = 0;  // kernel's counts at the last reading
  std::uint64_t lost = 0;
  std::uint64_t refused = 0;
};

// UUIDv5 (name space: the boot id, name: "process:" + root.text(), or "unit:" + unit), lower case.
std::string target_id(std::string_view boot_id, const ProcessId& root);
std::string target_id(std::string_view boot_id, std::string_view unit);

std::string_view name_of(TargetSource source);  // "config" "dbus" "discovered"
std::string_view name_of(TlsLevel level);       // "off" "metadata" "redacted" "full"
std::optional<TlsLevel> parse_tls_level(std::string_view name);

// A name is 1 to 128 bytes of UTF-8 without control characters, not all digits and not shaped like a UUID.
std::optional<Refusal> check_target_name(std::string_view name);

}  // namespace aa
