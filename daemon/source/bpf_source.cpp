#include "source/bpf_source.h"

#include "base/clock.h"
#include "event/decode.h"

namespace aa {

BpfSource::BpfSource(std::unique_ptr<RingReader> ring, CgroupNames& cgroups, Take take)
    : ring_(std::move(ring)), cgroups_(cgroups), take_(std::move(take)) {}

bool BpfSource::drain(std::uint64_t mark, std::size_t budget) {
  ring_->read(mark, budget, [this](std::span<const std::byte> record) { take(record); });
  return ring_->position() < ring_->producer();
}

double BpfSource::fill() const {
  return static_cast<double>(ring_->producer() - ring_->released()) / static_cast<double>(ring_->size());
}

void BpfSource::take(std::span<const std::byte> record) {
  Result<Event> event = decode(record);
  if (!event) {
    counts_.bad_last_ns = boot_ns();
    if (counts_.bad++ == 0) counts_.bad_first_ns = counts_.bad_last_ns;
    counts_.bad_reason = event.error().doing;
    return;
  }
  ++counts_.records;
  if (event->process) event->process->cgroup = cgroups_.path_of(event->process->cgroup_id);
  redactor_.apply(*event);
  take_(std::move(*event));
}

}  // namespace aa
