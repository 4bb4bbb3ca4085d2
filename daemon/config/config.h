// config/config.h: what an administrator can decide, as plain values at their defaults.
//
// Comes in: nothing. Goes out: Config. Each field has a row in keys.cpp, which holds its range and its meaning.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "state/discovery.h"
#include "state/path_rules.h"
#include "state/plan.h"

namespace aa {

// A row of the detector's table.
struct DetectRow {
  std::string row;
  bool operator==(const DetectRow&) const = default;
};

struct Config {
  struct Lifecycle {
    std::uint64_t ring_kib = 8192;
    std::uint64_t argv_bytes = 65'536;
    std::string hooks = "auto";
    bool operator==(const Lifecycle&) const = default;
  } lifecycle;

  struct Watched {
    std::uint64_t limit = 65'536;
    std::uint64_t share = 32'768;
    bool operator==(const Watched&) const = default;
  } watched;

  struct LineageKeys {
    std::uint64_t keep_exited_seconds = 3600;
    std::uint64_t keep_exited_count = 50'000;
    std::uint64_t text_mib = 64;
    std::uint64_t reconcile_seconds = 60;
    bool operator==(const LineageKeys&) const = default;
  } lineage;

  struct File {
    std::uint64_t ring_kib = 4096;  // counts as resident memory, whole
    std::string hooks = "auto";
    std::string reads = "sum";
    std::uint64_t interval_ms = 1000;
    std::uint64_t sums = 16'384;
    bool operator==(const File&) const = default;
  } file;

  struct Tls {
    std::uint64_t ring_kib = 8192;  // counts as resident memory, whole, while something is watched
    std::uint64_t call_kib = 1024;
    std::uint64_t calls = 16'384;
    std::uint64_t connections = 16'384;
    std::string hooks = "auto";
    std::string return_probes = "least";
    std::string hold_new_library = "off";
    std::uint64_t hold_ms = 500;
    std::string scope = "inode";
    bool operator==(const Tls&) const = default;
  } tls;

  struct Paths {
    std::string shipped = "on";
    std::vector<std::string> include;  // rule files
    std::vector<PathRule> own;         // [[paths.rules]]
    std::vector<PathRule> rules;       // what all of it says together, made when the configuration is loaded
    bool operator==(const Paths&) const = default;
  } paths;

  struct Detect {
    std::string min_severity = "info";
    std::vector<std::string> off;  // names of shipped rules
    std::vector<DetectRow> own;    // [[detect.table]]
    bool operator==(const Detect&) const = default;
  } detect;

  struct Discovery {
    std::string agents{kShippedAgents};
    std::uint64_t per_uid = 16;
    bool operator==(const Discovery&) const = default;
  } discovery;

  struct Families {
    std::string file = "on";
    std::string tls = "on";
    std::string detect = "on";
    bool operator==(const Families&) const = default;
  } families;

  struct Jsonl {
    std::string path;           // "" = off
    std::uint64_t max_mib = 0;  // 0: never begins anew
    std::uint64_t files = 5;
    std::string fsync = "never";
    std::string group;  // "" root alone
    bool operator==(const Jsonl&) const = default;
  } jsonl;

  struct Journal {
    std::string min_severity = "warning";
    bool operator==(const Journal&) const = default;
  } journal;

  struct Dbus {
    std::string signals = "on";
    bool operator==(const Dbus&) const = default;
  } dbus;

  struct Access {
    std::vector<std::string> users;
    std::vector<std::string> groups;
    bool operator==(const Access&) const = default;
  } access;

  struct Reload {
    std::string watch = "off";
    bool operator==(const Reload&) const = default;
  } reload;

  struct Log {
    std::string level = "info";
    bool operator==(const Log&) const = default;
  } log;

  std::vector<TargetWish> targets;  // [[targets]]

  std::vector<std::string> files;       // that were read, rule files left out; none: all is at its default
  std::vector<std::string> rule_files;  // that were read
  struct RulePlace {
    std::shared_ptr<const std::string> file;
    std::uint32_t line = 0;
  };
  std::vector<RulePlace> included;  // where the last of paths.rules stand, those of rule files
  // Where a value came from, by dotted key ("watched.limit" → "/etc/aa-ebpfd/config.toml:7"); absent: the default. Of
  // what comes in any number, by its place ("targets[0]").
  std::map<std::string, std::string> origin;
};

DetectChange detect_change_of(const Config& config);

}  // namespace aa
