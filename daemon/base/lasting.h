// base/lasting.h: a value in the memory of a file: what was written last is there for the next process, however this
// one ends. No system call for a write; not for what must outlive the machine.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>

#include "base/result.h"
#include "base/unique_fd.h"

namespace aa {

template <class T>
class Lasting {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // The file is made, of zeros, when it is not there or has another size; only its owner can read it.
  static Result<Lasting> open(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) return Error{"open " + path, errno, ""};
    const bool fits = status.st_size == static_cast<off_t>(sizeof(T));
    if (!fits && (::ftruncate(file.get(), 0) != 0 || ::ftruncate(file.get(), sizeof(T)) != 0))
      return Error{"make " + path, errno, ""};
    void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return Error{"map " + path, errno, ""};
    return Lasting(static_cast<T*>(memory));
  }

  T& operator*() { return *value_; }

 private:
  struct Unmap {
    void operator()(T* value) const { ::munmap(value, sizeof(T)); }
  };
  explicit Lasting(T* value) : value_(value) {}

  std::unique_ptr<T, Unmap> value_;
};

}  // namespace aa
