#include "control/gate.h"

namespace aa {

void Gate::check(const char* member, const std::optional<Caller>& caller) const {
  if (!caller) {
    throw Refused(Fault::not_authorized, "the bus did not say who is calling; call again from a live connection");
  }
  const AccessRow* row = find_access(member);
  if (row == nullptr || !may_call(*row, caller->uid, caller->gids, admitted_)) {
    throw Refused(Fault::not_authorized, std::string(member) + " is for root only and the caller has uid " +
                                             std::to_string(caller->uid) +
                                             "; call it as root, for example with sudo, or have access.users admit it");
  }
  const Process* process = monitor_.lineage().by_pid(caller->pid);
  const bool watched = process != nullptr && process->alive() && process->watched;
  if (caller->uid != 0 && watched && is_for_unwatched(*row)) {
    throw Refused(Fault::not_authorized,
                  std::string(member) + " is not for a process that is watched itself: call it from outside");
  }
}

Refusal Gate::unexpected(const std::exception& error) {
  return {Fault::failed, std::string("the daemon could not do it: ") + error.what() +
                             "; it goes on running; please report this if it happens again"};
}

}  // namespace aa
