#include "control/caller.h"

#include <map>
#include <utility>

namespace aa {

namespace {

constexpr const char* kBus = "org.freedesktop.DBus";

// A bus never reuses a unique name and a connection's credentials never change, so an entry cannot become wrong: only
// the number is bounded. Following NameOwnerChanged instead would wake the daemon for every client of the system bus.
constexpr std::size_t kRemember = 256;

using Credentials = std::map<std::string, sdbus::Variant>;

std::optional<std::uint32_t> number(const Credentials& credentials, const char* key) {
  const auto entry = credentials.find(key);
  if (entry == credentials.end() || !entry->second.containsValueOfType<std::uint32_t>()) return std::nullopt;
  return entry->second.get<std::uint32_t>();
}

std::optional<Caller> read(const std::string& name, const Credentials& credentials) {
  const auto uid = number(credentials, "UnixUserID");
  if (!uid) return std::nullopt;
  Caller caller{name, *uid, number(credentials, "ProcessID").value_or(0)};
  const auto groups = credentials.find("UnixGroupIDs");
  if (groups != credentials.end() && groups->second.containsValueOfType<std::vector<std::uint32_t>>())
    caller.gids = groups->second.get<std::vector<std::uint32_t>>();
  return caller;
}

}  // namespace

Callers::Callers(sdbus::IConnection& connection)
    : bus_(sdbus::createProxy(connection, bus::service(kBus), sdbus::ObjectPath{"/org/freedesktop/DBus"})) {}

void Callers::identify(const std::string& name, Then then) {
  if (const auto entry = known_.find(name); entry != known_.end()) {
    then(entry->second);
    return;
  }
  auto& waiting = asking_[name];
  waiting.push_back(std::move(then));
  if (waiting.size() > 1) return;
  try {
    bus_->callMethodAsync("GetConnectionCredentials")
        .onInterface(kBus)
        .withArguments(name)
        .uponReplyInvoke([this, name](bus::ReplyError error, const Credentials& credentials) {
          answered(name, error ? std::nullopt : read(name, credentials));
        });
  } catch (...) {  // the question never left: nobody would answer those who wait for it
    asking_.erase(name);
    throw;
  }
}

void Callers::answered(const std::string& name, const std::optional<Caller>& caller) {
  if (caller) remember(*caller);
  auto entry = asking_.extract(name);
  if (entry.empty()) return;
  for (auto& then : entry.mapped()) then(caller);
}

void Callers::remember(const Caller& caller) {
  known_.emplace(caller.name, caller);
  order_.push_back(caller.name);
  if (order_.size() <= kRemember) return;
  known_.erase(order_.front());
  order_.pop_front();
}

}  // namespace aa
