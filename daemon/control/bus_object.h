// control/bus_object.h: the object /org/agentassembly/Ebpfd1 on a connection.
//
// Comes in: calls, and events to announce. Goes out: replies and signals. The only file that includes the generated
// adaptors, which cost seconds to compile.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/control.h"
#include "control/gate.h"
#include "control/lineage_service.h"
#include "control/manager_service.h"
#include "control/units.h"

namespace aa {

class BusObject {
 public:
  // What the object speaks for; all of it must outlive the object.
  struct Parts {
    sdbus::IConnection& connection;
    Gate& gate;
    ManagerService& manager;
    Units& units;
    const LineageService& lineage;
    const Control::House& house;
  };
  static std::unique_ptr<BusObject> make(const Parts& parts);
  virtual ~BusObject() = default;

  // Announces the event when the contract has a signal for it. Throws sdbus::Error when the connection is gone.
  virtual void announce(const Event& event) = 0;
  virtual void announce_reload(const std::vector<std::string>& changed,
                               const std::vector<std::string>& awaiting_restart) = 0;
};

}  // namespace aa
