// source/bpf_source.h: kernel records → finished inputs for the Monitor.
//
// Comes in: the lifecycle ring, and rings of bulk. Goes out: events, decoded, named and redacted. A turn notes the bulk
// rings' ends first and the lifecycle ring's after, then reads the lifecycle ring to its mark before any bulk: whoever
// did something in bulk has been introduced. What was read is released once the durable sink has it (or at once when
// there is none).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cgroup_names.h"
#include "event/event.h"
#include "event/redact.h"
#include "source/ring_reader.h"

namespace aa {

class BpfSource {
 public:
  struct Counts {
    std::uint64_t exec_records = 0;  // decoded and handed on
    std::uint64_t file_records = 0;
    std::uint64_t tls_records = 0;
    std::uint64_t bad = 0;  // refused by decode
    std::uint64_t bad_first_ns = 0;
    std::uint64_t bad_last_ns = 0;
    std::string bad_reason;  // of the last one; lengths and kinds, never content
  };

  using Take = std::function<void(Event)>;
  using Positions = std::vector<std::uint64_t>;  // one a ring

  // The first ring is the lifecycle ring.
  BpfSource(std::vector<std::unique_ptr<RingReader>> rings, CgroupNames& cgroups, Redactor redactor, Take take);

  // One turn: everything committed below `mark`, at most `budget` records. True when more is waiting.
  bool drain(const Positions& mark, std::size_t budget);

  // Positions such that everything written to the rings before this call lies below them.
  Positions mark() const;
  bool reached(const Positions& mark) const;
  bool waiting() const;  // something is there to be read
  std::uint64_t bytes_read() const;
  bool unreleased() const;
  // The part of the fullest ring not released yet, 0 to 1.
  double fill() const;

  // A number for "everything read so far", rising; release(stamp) lets the kernel overwrite what was read before it.
  std::uint64_t stamp();
  void release(std::uint64_t stamp);
  // A process has ended and all its records were read: what is undecided of its streams is told.
  void end(const ProcessId& process);
  // The same of everybody: the last thing before the end.
  void end_all();
  Undecided undecided() const { return redactor_.undecided(); }
  // The same of what has been undecided for too long.
  void on_time(std::uint64_t now_boot_ns);
  std::optional<std::uint64_t> next_deadline() const { return redactor_.next_deadline(); }
  // Bulk rings are mapped only while something is watched.
  Status set_watching(bool on);
  const Counts& counts() const { return counts_; }

 private:
  struct Stamp {
    std::uint64_t number;
    Positions positions;
  };
  void take(std::span<const std::byte> record);
  std::uint64_t& count_of(const EventBody& body);
  Positions positions() const;

  std::vector<std::unique_ptr<RingReader>> rings_;
  CgroupNames& cgroups_;
  Redactor redactor_;
  Take take_;
  Counts counts_;
  std::deque<Stamp> stamps_;
  std::uint64_t last_stamp_ = 0;
};

}  // namespace aa
