// control/caller.h: who is calling, asked of the bus and never of the caller.
//
// Comes in: a unique bus name. Goes out: its uid and pid, later, without blocking the loop: one asynchronous
// GetConnectionCredentials for each connection, remembered while it may still be of use.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/bus_compat.h"

namespace aa {

struct Caller {
  std::string name;       // ":1.42"
  std::uint32_t uid = 0;  // decides what it may do
  std::uint32_t pid = 0;  // a pid can be reused; 0 unknown
  std::vector<std::uint32_t> gids = {};
};

class Callers {
 public:
  // Receives the caller, or nullopt when the bus would not say (mostly: it has left).
  using Then = std::function<void(const std::optional<Caller>&)>;

  explicit Callers(sdbus::IConnection& connection);

  // Calls `then` once: at once when the name is remembered, else when the bus has answered. Callbacks still waiting
  // when this object goes away are destroyed uncalled.
  void identify(const std::string& name, Then then);

  std::size_t remembered() const { return known_.size(); }

 private:
  void answered(const std::string& name, const std::optional<Caller>& caller);
  void remember(const Caller& caller);

  std::unordered_map<std::string, Caller> known_;
  std::list<std::string> order_;                               // oldest first
  std::unordered_map<std::string, std::vector<Then>> asking_;  // calls that wait for one answer
  std::unique_ptr<sdbus::IProxy> bus_;
};

}  // namespace aa
