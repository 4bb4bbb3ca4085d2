#include "probe/file_sums.h"

#include <bpf/bpf.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "abi/event.h"
#include "base/quiet_thread.h"

namespace aa {
namespace {

FileSum value_of(const aa_sum_key& key, const aa_sum& sum) {
  FileSum value;
  value.key = {{key.tgid, key.start_ns}, key.file, key.ino, key.dev, key.inode_generation, sum.generation};
  value.slot = sum.slot;
  value.last_boot_ns = sum.last_ns;
  value.read_bytes = sum.read_bytes;
  value.reads = sum.reads;
  value.write_bytes = sum.write_bytes;
  value.writes = sum.writes;
  return value;
}

aa_sum_key key_of(const SumKey& key) {
  aa_sum_key raw{};
  raw.file = key.file;
  raw.ino = key.ino;
  raw.start_ns = key.process.start_ns;
  raw.dev = key.dev;
  raw.inode_generation = key.inode_generation;
  raw.tgid = key.process.pid;
  raw.generation = static_cast<std::uint32_t>(key.generation);
  return raw;
}

bool holds_any(const aa_sum& sum) {
  return sum.reads != 0 || sum.writes != 0;
}

}  // namespace

Result<std::unique_ptr<FileSums>> FileSums::make(const FileFamily& family) {
  std::unique_ptr<FileSums> sums(new FileSums(family));
  sums->done_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!sums->done_) return Error{"make an eventfd for the file family's sums", errno, ""};
  sums->thread_ = quiet_thread([raw = sums.get()] { raw->run(); });
  return sums;
}

FileSums::~FileSums() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wanted_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void FileSums::flip() {
  {
    const std::lock_guard lock(mutex_);
    asked_ = true;
  }
  wanted_.notify_one();
}

void FileSums::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return asked_ || ending_; });
    if (ending_) return;
    asked_ = false;
    const unsigned next = 1 - active_;
    lock.unlock();
    const std::uint32_t zero = 0;
    const int inner = family_.sums_fd(next);
    const bool swapped = bpf_map_update_elem(family_.sums_outer_fd(), &zero, &inner, BPF_ANY) == 0;
    lock.lock();
    if (swapped) active_ = next;
    const int idle = family_.sums_fd(1 - active_);
    lock.unlock();
    drain(idle);
    lock.lock();
    const std::uint64_t one = 1;
    (void)!::write(done_.get(), &one, sizeof(one));
  }
}

// Also takes what a program put back into the idle map because the ring was full. One key at a time, so that collect()
// finds each sum in the map or among the drained ones.
void FileSums::drain(int map) {
  std::vector<aa_sum_key> keys;
  aa_sum_key key{};
  for (void* after = nullptr; bpf_map_get_next_key(map, after, &key) == 0; after = &keys.back()) keys.push_back(key);
  for (const aa_sum_key& one : keys) {
    aa_sum sum{};
    const std::lock_guard lock(mutex_);
    // A program that closes the file takes the sum too; whoever deletes it has it.
    if (bpf_map_lookup_elem(map, &one, &sum) != 0 || bpf_map_delete_elem(map, &one) != 0 || !holds_any(sum)) continue;
    const FileSum value = value_of(one, sum);
    drained_.emplace(value.key, value);
  }
}

std::vector<FileSum> FileSums::take() {
  std::uint64_t count = 0;
  if (::read(done_.get(), &count, sizeof(count)) != sizeof(count)) return {};
  std::multimap<SumKey, FileSum> drained;
  {
    const std::lock_guard lock(mutex_);
    drained.swap(drained_);
  }
  std::vector<FileSum> out;
  out.reserve(drained.size());
  for (const auto& [key, sum] : drained) out.push_back(sum);
  return out;
}

std::vector<FileSum> FileSums::take_all() {
  constexpr int kPatienceMs = 2'000;
  std::vector<FileSum> all;
  for (int flips = 0; flips < 2; ++flips) {
    flip();
    pollfd done{done_.get(), POLLIN, 0};
    (void)::poll(&done, 1, kPatienceMs);
    for (const FileSum& sum : take()) all.push_back(sum);
  }
  return all;
}

std::vector<FileSum> FileSums::collect(const std::vector<SumKey>& keys) {
  std::vector<FileSum> out;
  const std::lock_guard lock(mutex_);
  for (const SumKey& key : keys) {
    const auto [first, last] = drained_.equal_range(key);
    for (auto drained = first; drained != last; ++drained) out.push_back(drained->second);
    drained_.erase(first, last);
    const aa_sum_key raw = key_of(key);
    for (const unsigned which : {0u, 1u}) {
      aa_sum sum{};
      const int map = family_.sums_fd(which);
      if (bpf_map_lookup_elem(map, &raw, &sum) != 0 || bpf_map_delete_elem(map, &raw) != 0) continue;
      if (holds_any(sum)) out.push_back(value_of(raw, sum));
    }
  }
  return out;
}

}  // namespace aa
