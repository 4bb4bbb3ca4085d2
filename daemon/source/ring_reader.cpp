#include "source/ring_reader.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace aa {
namespace {

constexpr std::uint64_t kHeaderBytes = BPF_RINGBUF_HDR_SZ;

// The kernel writes here while we read.
template <class Word>
Word load(const std::byte* at) {
  return __atomic_load_n(reinterpret_cast<const Word*>(at), __ATOMIC_ACQUIRE);
}

}  // namespace

Result<std::unique_ptr<RingReader>> RingReader::make(int map_fd, std::size_t bytes) {
  std::unique_ptr<RingReader> ring(new RingReader);
  ring->page_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  ring->size_ = bytes;
  ring->map_fd_ = map_fd;
  void* consumer = ::mmap(nullptr, ring->page_, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return Error{"map the ring's consumer page", errno, ""};
  ring->consumer_page_ = static_cast<std::byte*>(consumer);
  if (Status woken = ring->wake(); !woken) return woken.error();
  ring->position_ = ring->released_ = load<std::uint64_t>(ring->consumer_page_);
  return ring;
}

RingReader::~RingReader() {
  if (consumer_page_ != nullptr) ::munmap(consumer_page_, page_);
  if (producer_page_ != nullptr) ::munmap(producer_page_, mapped_);
}

Status RingReader::wake() {
  if (mapped_ > page_) return Done{};
  void* whole = ::mmap(nullptr, page_ + size_, PROT_READ, MAP_SHARED, map_fd_, static_cast<off_t>(page_));
  if (whole == MAP_FAILED) return Error{"map the ring's data", errno, ""};
  if (producer_page_ != nullptr) ::munmap(producer_page_, mapped_);
  producer_page_ = static_cast<std::byte*>(whole);
  mapped_ = page_ + size_;
  return Done{};
}

bool RingReader::rest() {
  if (mapped_ == page_) return true;
  if (position_ != producer() || released_ != position_) return false;
  ::munmap(producer_page_ + page_, size_);
  mapped_ = page_;
  return true;
}

std::uint64_t RingReader::producer() const {
  return load<std::uint64_t>(producer_page_);
}

std::size_t RingReader::read(std::uint64_t mark, std::size_t budget, const Take& take) {
  std::size_t count = 0;
  if (position_ < mark && !wake()) return 0;  // a last record came while it rested
  const std::byte* data = producer_page_ + page_;
  while (position_ < mark && count < budget) {
    const std::byte* header = data + (position_ & (size_ - 1));
    const auto length = load<std::uint32_t>(header);
    if ((length & BPF_RINGBUF_BUSY_BIT) != 0) break;
    const std::uint64_t bytes = length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    position_ += (bytes + kHeaderBytes + 7) & ~std::uint64_t{7};
    if ((length & BPF_RINGBUF_DISCARD_BIT) != 0) continue;
    take(whole(header + kHeaderBytes, bytes));
    ++count;
  }
  return count;
}

// A header never wraps (both are multiples of eight); what follows it may, and is put together then.
std::span<const std::byte> RingReader::whole(const std::byte* begin, std::size_t bytes) {
  const std::byte* data = producer_page_ + page_;
  const auto offset = static_cast<std::size_t>(begin - data) & (size_ - 1);
  const std::size_t first = std::min(bytes, size_ - offset);
  if (first == bytes) return {data + offset, bytes};
  stitched_.assign(data + offset, data + offset + first);
  stitched_.insert(stitched_.end(), data, data + (bytes - first));
  return stitched_;
}

void RingReader::release(std::uint64_t position) {
  if (position <= released_) return;
  released_ = position;
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(consumer_page_), position, __ATOMIC_RELEASE);
}

}  // namespace aa
