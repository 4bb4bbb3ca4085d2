// control/refuse.h: how a handler says no.
//
// Comes in: a Fault and a sentence. Goes out: an exception that the one wrapper around every handler turns into the
// named error of the contract. Exceptions live in this room only; they never cross Control's face.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "state/plan.h"

namespace aa {

class Refused : public std::exception {
 public:
  explicit Refused(Refusal refusal) : refusal_(std::move(refusal)) {}
  Refused(Fault fault, std::string sentence) : refusal_{fault, std::move(sentence)} {}
  const char* what() const noexcept override { return refusal_.sentence.c_str(); }
  const Refusal& refusal() const { return refusal_; }

 private:
  Refusal refusal_;
};

// "org.agentassembly.Ebpfd1.Error.NoSuchProcess"
std::string error_name(Fault fault);

}  // namespace aa
