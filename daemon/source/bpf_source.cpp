#include "source/bpf_source.h"

#include <algorithm>

#include "base/clock.h"
#include "event/decode.h"

namespace aa {

BpfSource::BpfSource(std::vector<std::unique_ptr<RingReader>> rings, CgroupNames& cgroups, Redactor redactor, Take take)
    : rings_(std::move(rings)), cgroups_(cgroups), redactor_(std::move(redactor)), take_(std::move(take)) {}

bool BpfSource::drain(const Positions& mark, std::size_t budget) {
  for (std::size_t ring = 0; ring < rings_.size() && budget > 0; ++ring) {
    budget -= rings_[ring]->read(mark[ring], budget, [this](std::span<const std::byte> record) { take(record); });
    if (rings_[ring]->position() < mark[ring]) break;  // bulk waits for it
  }
  return waiting();
}

// Bulk first: who did something below its mark was introduced below the lifecycle ring's.
BpfSource::Positions BpfSource::mark() const {
  Positions marks(rings_.size());
  for (std::size_t ring = rings_.size(); ring-- > 0;) marks[ring] = rings_[ring]->producer();
  return marks;
}

BpfSource::Positions BpfSource::positions() const {
  Positions positions;
  for (const auto& ring : rings_) positions.push_back(ring->position());
  return positions;
}

bool BpfSource::reached(const Positions& mark) const {
  for (std::size_t ring = 0; ring < rings_.size(); ++ring)
    if (rings_[ring]->position() < mark[ring]) return false;
  return true;
}

bool BpfSource::waiting() const {
  return std::any_of(rings_.begin(), rings_.end(),
                     [](const auto& ring) { return ring->position() < ring->producer(); });
}

std::uint64_t BpfSource::bytes_read() const {
  std::uint64_t bytes = 0;
  for (const auto& ring : rings_) bytes += ring->position();
  return bytes;
}

bool BpfSource::unreleased() const {
  return std::any_of(rings_.begin(), rings_.end(),
                     [](const auto& ring) { return ring->position() != ring->released(); });
}

double BpfSource::fill() const {
  double fullest = 0;
  for (const auto& ring : rings_)
    fullest =
        std::max(fullest, static_cast<double>(ring->producer() - ring->released()) / static_cast<double>(ring->size()));
  return fullest;
}

std::uint64_t BpfSource::stamp() {
  const Positions now = positions();
  const bool moved = stamps_.empty() ? unreleased() : stamps_.back().positions != now;
  if (moved) stamps_.push_back({++last_stamp_, now});
  return last_stamp_;
}

void BpfSource::release(std::uint64_t stamp) {
  while (!stamps_.empty() && stamps_.front().number <= stamp) {
    for (std::size_t ring = 0; ring < rings_.size(); ++ring) rings_[ring]->release(stamps_.front().positions[ring]);
    stamps_.pop_front();
  }
}

Status BpfSource::set_watching(bool on) {
  for (std::size_t ring = 1; ring < rings_.size(); ++ring) {
    if (!on)
      (void)rings_[ring]->rest();  // what is still being written keeps it
    else if (Status woken = rings_[ring]->wake(); !woken)
      return woken;
  }
  return Done{};
}

std::uint64_t& BpfSource::count_of(const EventBody& body) {
  const auto is = [&body]<class... Bodies>() { return (std::holds_alternative<Bodies>(body) || ...); };
  if (is.operator()<FileBody, FileSumBody>()) return counts_.file_records;
  if (is.operator()<TlsBody, TlsConnectionBody, TlsClosedBody>()) return counts_.tls_records;
  return counts_.exec_records;
}

void BpfSource::take(std::span<const std::byte> record) {
  Result<Event> event = decode(record);
  if (!event) {
    counts_.bad_last_ns = boot_ns();
    if (counts_.bad++ == 0) counts_.bad_first_ns = counts_.bad_last_ns;
    counts_.bad_reason = event.error().doing;
    return;
  }
  ++count_of(event->body);
  if (event->process) event->process->cgroup = cgroups_.path_of(event->process->cgroup_id);
  redactor_.take(std::move(*event), take_);
}

void BpfSource::end(const ProcessId& process) {
  redactor_.end(process, take_);
}

void BpfSource::end_all() {
  redactor_.end_all(take_);
}

void BpfSource::on_time(std::uint64_t now_boot_ns) {
  redactor_.on_time(now_boot_ns, take_);
}

}  // namespace aa
