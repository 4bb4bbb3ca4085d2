// base/patience.h: asks what may never answer: a file system that a network serves, or a process (FUSE), and memory
// that is mapped from one.
//
// Comes in: something to do, which owns all that it uses. Goes out: what it returned, or nothing when it is not back in
// time. Then its thread is left behind, and frees what it holds if it ever comes back.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace aa {

class Patience {
 public:
  explicit Patience(std::chrono::milliseconds most = std::chrono::seconds(5)) : most_(most) {}
  ~Patience();  // waits for nobody
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  // From one thread. nullopt: no answer; while somebody is left behind others are waited for a tenth of the time, and
  // when too many are nobody is asked. Cost: some 10 µs beside `ask`.
  template <class Ask>
  std::optional<std::invoke_result_t<Ask&>> ask(Ask ask) {
    using Answer = std::invoke_result_t<Ask&>;
    const auto answer = std::make_shared<std::optional<Answer>>();
    const auto shared = std::make_shared<Ask>(std::move(ask));
    if (!run([answer, shared] { answer->emplace((*shared)()); })) return std::nullopt;
    return std::move(*answer);
  }

  std::uint64_t given_up() const { return given_up_; }  // how often there was no answer
  bool is_waited_for() const { return *left_behind_ != 0; }

 private:
  struct Worker;
  bool run(std::function<void()> task);

  std::chrono::milliseconds most_;
  std::shared_ptr<Worker> worker_;  // null: none is free
  std::shared_ptr<std::atomic<unsigned>> left_behind_ = std::make_shared<std::atomic<unsigned>>(0);
  std::uint64_t given_up_ = 0;
};

}  // namespace aa
