// source/ring_reader.h: a BPF ring buffer, read without letting go.
//
// Comes in: a ring map's descriptor. Goes out: committed records as bytes in place, each with the position after it.
// libbpf's consumer releases a record as its callback returns; ours releases when told, so that what a durable sink has
// not written yet survives the reader. Layout: kernel/bpf/ringbuf.c (consumer page, producer page, data).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace aa {

class RingReader {
 public:
  using Take = std::function<void(std::span<const std::byte> record)>;

  // `map_fd` is borrowed for the reader's life; `bytes` is the ring's size (its max_entries).
  static Result<std::unique_ptr<RingReader>> make(int map_fd, std::size_t bytes);
  ~RingReader();
  RingReader(const RingReader&) = delete;
  RingReader& operator=(const RingReader&) = delete;

  // Where the kernel will write next. Everything below was reserved before this call.
  std::uint64_t producer() const;
  // Up to where records were handed out.
  std::uint64_t position() const { return position_; }
  // Up to where the kernel may overwrite.
  std::uint64_t released() const { return released_; }
  std::size_t size() const { return size_; }

  // Hands out committed records up to `mark`, at most `budget`; returns how many. Stops early at a record still being
  // written. Bytes are valid during the call of `take`.
  std::size_t read(std::uint64_t mark, std::size_t budget, const Take& take);

  void release(std::uint64_t position);

  // While nothing is written a ring need not be mapped: all of it counts as this process's memory. Refuses while
  // something is unread or unreleased. Waking maps it again; without that nothing may be read.
  bool rest();
  Status wake();

 private:
  RingReader() = default;
  std::span<const std::byte> whole(const std::byte* begin, std::size_t bytes);

  int map_fd_ = -1;  // borrowed
  std::size_t page_ = 0;
  std::size_t size_ = 0;
  std::byte* consumer_page_ = nullptr;
  std::size_t mapped_ = 0;              // bytes at producer_page_: one page while it rests
  std::byte* producer_page_ = nullptr;  // followed by the data, once: mapped twice it would count twice as resident
  std::vector<std::byte> stitched_;
  std::uint64_t position_ = 0;
  std::uint64_t released_ = 0;
};

}  // namespace aa
