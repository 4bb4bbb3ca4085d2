// control/gate.h: the one wrapper around every handler.
//
// Comes in: a call's member, promise and body. Goes out: exactly one answer: NotAuthorized from the access
// table, what the body answers, or the named error of what it threw. No exception leaves it (sdbus-c++ 1.2 would
// let one end the daemon), and no reply is dropped.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "control/access.h"
#include "control/caller.h"
#include "control/refuse.h"
#include "control/reply.h"

namespace aa {

class Gate {
 public:
  template <class... Values>
  using Pending = std::shared_ptr<Reply<Values...>>;
  // Never deduced from: the promise alone says what the values are.
  template <class... Values>
  using Body = std::type_identity_t<std::function<void(const Caller&, const Pending<Values...>&)>>;

  explicit Gate(Callers& callers) : callers_(callers) {}

  // Call inside the handler, where `object` still knows the sender. `body` runs once the caller is known and allowed,
  // after this returned or before; it answers `pending`, now or later, or throws.
  template <class... Values>
  void enter(const sdbus::IObject& object, const char* member, sdbus::Result<Values...>&& promise,
             Body<Values...> body) noexcept {
    guarded<Values...>(std::move(promise), [&](const Pending<Values...>& pending) {
      callers_.identify(bus::sender(object),
                        [member, pending, body = std::move(body)](const std::optional<Caller>& caller) {
                          try_answer<Values...>(pending, [&] {
                            check(member, caller);
                            body(*caller, pending);
                          });
                        });
    });
  }

  // Runs what answers a call later; what it throws becomes the answer.
  template <class... Values, class Run>
  static void try_answer(const Pending<Values...>& pending, Run&& run) {
    try {
      run();
    } catch (const Refused& refused) {
      pending->refuse(refused.refusal());
    } catch (const std::exception& error) {
      pending->refuse(unexpected(error));
    }
  }

 private:
  template <class... Values, class Run>
  static void guarded(sdbus::Result<Values...>&& promise, Run&& run) noexcept try {
    const auto pending = std::make_shared<Reply<Values...>>(std::move(promise));
    try_answer<Values...>(pending, [&] { run(pending); });
  } catch (...) {  // no memory for the reply itself
  }

  // Refused: NotAuthorized.
  static void check(const char* member, const std::optional<Caller>& caller);
  static Refusal unexpected(const std::exception& error);

  Callers& callers_;
};

}  // namespace aa
