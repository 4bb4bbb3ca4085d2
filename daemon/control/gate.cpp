#include "control/gate.h"

namespace aa {

void Gate::check(const char* member, const std::optional<Caller>& caller) {
  if (!caller) {
    throw Refused(Fault::not_authorized, "the bus did not say who is calling; call again from a live connection");
  }
  const AccessRow* row = find_access(member);
  if (row == nullptr || !may_call(*row, caller->uid)) {
    throw Refused(Fault::not_authorized, std::string(member) + " is for root only and the caller has uid " +
                                             std::to_string(caller->uid) + "; call it as root, for example with sudo");
  }
}

Refusal Gate::unexpected(const std::exception& error) {
  return {Fault::failed, std::string("the daemon could not do it: ") + error.what() +
                             "; it goes on running; please report this if it happens again"};
}

}  // namespace aa
