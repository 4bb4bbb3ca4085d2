// probe/mapped_map.h: a map's memory, shared with the kernel, as long as this lives.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <utility>

namespace aa {

class MappedMap {
 public:
  MappedMap() = default;
  // `bytes` need not be whole pages: the kernel rounds both ways. Null data() when the kernel refuses: the map is not
  // of the kind that can be mapped.
  MappedMap(int fd, std::size_t bytes) : size_(bytes) {
    void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    data_ = data == MAP_FAILED ? nullptr : data;
  }
  MappedMap(MappedMap&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedMap& operator=(MappedMap&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedMap() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace aa
