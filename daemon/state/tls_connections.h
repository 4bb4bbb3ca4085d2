// state/tls_connections.h: what was told of TLS connections before their bytes: who is at the other end, and whose copy
// they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "event/event.h"

namespace aa {

// Bounded: a connection too many is forgotten of the process that has most. Cost: O(log n); O(processes) at the bound.
class TlsConnections {
 public:
  const TlsConnectionBody* find(const ProcessId& process, std::uint32_t connection) const;
  void put(const ProcessId& process, const TlsConnectionBody& body);
  void erase(const ProcessId& process, std::uint32_t connection);
  void forget(const ProcessId& process);  // it has ended

 private:
  void forget_one();

  std::map<ProcessId, std::map<std::uint32_t, TlsConnectionBody>> by_process_;
  std::size_t size_ = 0;
};

}  // namespace aa
