#include "state/tls_connections.h"

#include <algorithm>

namespace aa {

namespace {

constexpr std::size_t kMostConnections = 65'536;  // not every end is told: who executes another program ends many

}  // namespace

const TlsConnectionBody* TlsConnections::find(const ProcessId& process, std::uint32_t connection) const {
  const auto its = by_process_.find(process);
  if (its == by_process_.end()) return nullptr;
  const auto known = its->second.find(connection);
  return known == its->second.end() ? nullptr : &known->second;
}

void TlsConnections::put(const ProcessId& process, const TlsConnectionBody& body) {
  auto& its = by_process_[process];
  const std::size_t before = its.size();
  its.insert_or_assign(body.connection, body);
  size_ += its.size() - before;
  if (size_ > kMostConnections) forget_one();
}

void TlsConnections::forget_one() {
  const auto most =
      std::ranges::max_element(by_process_, {}, [](const auto& process) { return process.second.size(); });
  most->second.erase(most->second.begin());
  --size_;
}

void TlsConnections::erase(const ProcessId& process, std::uint32_t connection) {
  if (const auto its = by_process_.find(process); its != by_process_.end()) {
    size_ -= its->second.erase(connection);
    if (its->second.empty()) by_process_.erase(its);
  }
}

void TlsConnections::forget(const ProcessId& process) {
  if (const auto its = by_process_.find(process); its != by_process_.end()) {
    size_ -= its->second.size();
    by_process_.erase(its);
  }
}

}  // namespace aa
