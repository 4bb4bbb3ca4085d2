// source/bpf_source.h: kernel records → finished inputs for the Monitor.
//
// Comes in: the lifecycle ring. Goes out: events, decoded, named and redacted, in ring order. A turn reads at most a
// budget. What was read is released once the durable sink has it (or at once when there is none). Bulk rings of later
// families join here: their marks are noted first, the lifecycle ring is read to its mark first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/cgroup_names.h"
#include "event/event.h"
#include "event/redact.h"
#include "source/ring_reader.h"

namespace aa {

class BpfSource {
 public:
  struct Counts {
    std::uint64_t records = 0;  // decoded and handed on
    std::uint64_t bad = 0;      // refused by decode
    std::uint64_t bad_first_ns = 0;
    std::uint64_t bad_last_ns = 0;
    std::string bad_reason;  // of the last one; lengths and kinds, never content
  };

  using Take = std::function<void(Event)>;

  BpfSource(std::unique_ptr<RingReader> ring, CgroupNames& cgroups, Take take);

  // One turn: everything committed below `mark`, at most `budget` records. True when more is waiting.
  bool drain(std::uint64_t mark, std::size_t budget);

  // A position such that everything written to the ring before this call lies below it.
  std::uint64_t mark() const { return ring_->producer(); }
  std::uint64_t position() const { return ring_->position(); }
  bool unreleased() const { return ring_->position() != ring_->released(); }
  // The part of the ring not released yet, 0 to 1.
  double fill() const;

  void release(std::uint64_t position) { ring_->release(position); }
  const Counts& counts() const { return counts_; }

 private:
  void take(std::span<const std::byte> record);

  std::unique_ptr<RingReader> ring_;
  CgroupNames& cgroups_;
  Redactor redactor_;
  Take take_;
  Counts counts_;
};

}  // namespace aa
