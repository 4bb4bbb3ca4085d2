// control/reply.h: a reply that cannot be forgotten.
//
// Comes in: the promise sdbus-c++ gives an asynchronous handler. Goes out: exactly one answer. Whoever lets go of a
// Reply unanswered makes it answer Error.Failed, because a dropped promise leaves the caller waiting 25 seconds.
#pragma once

#include <string>
#include <utility>

#include "base/text.h"
#include "control/bus_compat.h"
#include "control/refuse.h"

namespace aa {

template <class... Values>
class Reply {
 public:
  explicit Reply(sdbus::Result<Values...>&& promise) : promise_(std::move(promise)) {}
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply() { refuse({Fault::failed, "the daemon dropped this call without an answer; try again"}); }

  // Sends the values. A value that does not fit the wire becomes Error.Failed. Later answers are ignored.
  void values(const Values&... values) {
    if (std::exchange(answered_, true)) return;
    try {
      promise_.returnResults(values...);
    } catch (const std::exception& error) {
      send({Fault::failed, std::string("the answer could not be sent: ") + error.what()});
    }
  }

  void refuse(const Refusal& refusal) {
    if (!std::exchange(answered_, true)) send(refusal);
  }

 private:
  // A connection that is gone cannot carry even the error: then there is nobody left to tell.
  void send(const Refusal& refusal) noexcept try {
    promise_.returnError(bus::make_error(error_name(refusal.fault), to_bus_string(refusal.sentence)));
  } catch (...) {
  }

  sdbus::Result<Values...> promise_;
  bool answered_ = false;
};

}  // namespace aa
