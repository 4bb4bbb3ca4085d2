// base/result.h: errors as values.
//
// Comes in: nothing. Goes out: Error (what we were doing, what the kernel said, what to try) and Result<T>, shaped like
// std::expected (C++23), which Debian 12's compiler has only outside C++20.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace aa {

struct Error {
  std::string doing;     // "attach sched_process_exec"
  int errno_value = 0;   // 0 when no system call was involved
  std::string hint;      // what to try; may be empty
  bool lasting = false;  // trying again cannot help until somebody changes this system

  // "doing: strerror (hint)": one line, no newline.
  std::string text() const;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return held_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& value() {
    assert(has_value());
    return *std::get_if<0>(&held_);
  }
  const T& value() const {
    assert(has_value());
    return *std::get_if<0>(&held_);
  }
  const Error& error() const {
    assert(!has_value());
    return *std::get_if<1>(&held_);
  }

 private:
  std::variant<T, Error> held_;
};

struct Done {};
using Status = Result<Done>;

}  // namespace aa
