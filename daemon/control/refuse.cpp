#include "control/refuse.h"

namespace aa {

namespace {

std::string_view short_name(Fault fault) {
  switch (fault) {
    case Fault::no_such_process:
      return "NoSuchProcess";
    case Fault::no_such_target:
      return "NoSuchTarget";
    case Fault::not_authorized:
      return "NotAuthorized";
    case Fault::limit_reached:
      return "LimitReached";
    case Fault::invalid_argument:
      return "InvalidArgument";
    case Fault::invalid_pattern:
      return "InvalidPattern";
    case Fault::invalid_config:
      return "InvalidConfig";
    case Fault::not_supported:
      return "NotSupported";
    case Fault::probe_failed:
      return "ProbeFailed";
    case Fault::map_failed:
      return "MapFailed";
    case Fault::failed:
      break;
  }
  return "Failed";
}

}  // namespace

std::string error_name(Fault fault) {
  return "org.agentassembly.Ebpfd1.Error." + std::string(short_name(fault));
}

}  // namespace aa
