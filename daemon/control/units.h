// control/units.h: where systemd keeps a unit's processes, asked of systemd over the bus.
//
// Comes in: a unit's name as a caller gave it. Goes out, later and without blocking the loop: the unit's whole name and
// its control group, or why not. Knows nothing of cgroup file systems.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <variant>

#include "control/bus_compat.h"
#include "state/plan.h"

namespace aa {

class Units {
 public:
  struct Place {
    std::string unit;    // "nginx.service", also when an alias was asked for
    std::string cgroup;  // "/system.slice/nginx.service"; where it will be when it is not there now
  };
  using Found = std::variant<Place, Refusal>;
  using Then = std::function<void(const Found&)>;

  explicit Units(sdbus::IConnection& connection) : connection_(connection) {}

  // Calls `then` once, perhaps before it returns. A name without a type is a service's, as for systemctl. Callbacks
  // still waiting when this object goes away are destroyed uncalled.
  void find(const std::string& name, Then then);

 private:
  struct Search;
  using Searching = std::shared_ptr<Search>;
  void load(const Searching& search);
  // The steps after one another, each with what systemd answered to the one before.
  static void named(const Searching& search, const std::string& id);
  static void placed(const Searching& search, const std::string& cgroup);
  static void judged(const Searching& search, const std::string& load_state);
  static void sliced(const Searching& search, const std::string& slice);
  static void ask(const Searching& search, const char* interface, const char* property,
                  void (*next)(const Searching&, const std::string&));

  sdbus::IConnection& connection_;
  std::list<Searching> searches_;  // a proxy may not be destroyed from within its own callback
};

}  // namespace aa
