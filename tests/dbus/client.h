// tests/dbus/client.h: a caller with its own connection, as any user.
//
// Calls block on the test's thread while the service runs on its own; signals are collected as text.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "control/bus_compat.h"
#include "control/types.h"
#include "ebpfd1_lineage_proxy.h"
#include "ebpfd1_manager_proxy.h"

namespace aa::test {

inline constexpr uid_t kNobody = 65534;

// This thread alone acts as another user while the object lives: a connection's credentials are those of the thread
// that connects it.
class ActingAs {
 public:
  explicit ActingAs(uid_t uid) { set(uid); }
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;
  ~ActingAs() { set(0); }

 private:
  static void set(uid_t uid) {
    if (::syscall(SYS_setresuid, static_cast<uid_t>(-1), uid, static_cast<uid_t>(-1)) != 0) ::abort();
  }
};

inline std::unique_ptr<sdbus::IConnection> connect_as(const std::string& address, uid_t uid) {
  ::setenv("DBUS_SYSTEM_BUS_ADDRESS", address.c_str(), 1);
  if (uid == ::geteuid()) return sdbus::createSystemBusConnection();
  const ActingAs user(uid);
  return sdbus::createSystemBusConnection();
}

class Object : public sdbus::ProxyInterfaces<org::agentassembly::Ebpfd1::Manager_proxy,
                                             org::agentassembly::Ebpfd1::Lineage_proxy> {
 public:
  explicit Object(sdbus::IConnection& connection)
      : ProxyInterfaces(connection, bus::service("org.agentassembly.Ebpfd1"),
                        sdbus::ObjectPath{"/org/agentassembly/Ebpfd1"}) {
    registerProxy();
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object() { unregisterProxy(); }

  std::vector<std::string> signals;
  Dict last_details;

 private:
  void onAlert(const std::string& kind, const std::string& severity, const std::string& target,
               const std::uint32_t& pid, const std::string& summary, const Dict& details) override {
    signals.push_back("Alert " + kind + " " + severity + " " + target + " " + std::to_string(pid) + " " + summary);
    last_details = details;
  }
  void onTargetAdded(const std::string& target) override { signals.push_back("TargetAdded " + target); }
  void onTargetRemoved(const std::string& target) override { signals.push_back("TargetRemoved " + target); }
  void onEventsLost(const std::string& family, const std::string& cause, const std::uint64_t& count) override {
    signals.push_back("EventsLost " + family + " " + cause + " " + std::to_string(count));
  }
  void onReloaded(const std::vector<std::string>& changed, const std::vector<std::string>& awaiting) override {
    std::string text = "Reloaded";
    for (const std::string& key : changed) text += " " + key;
    text += " |";
    for (const std::string& key : awaiting) text += " " + key;
    signals.push_back(text);
  }
  void onProbeStateChanged(const std::string& family, const std::string& program, const std::string& state,
                           const std::int32_t& error_number, const std::string& reason) override {
    signals.push_back("ProbeStateChanged " + family + " " + program + " " + state + " " + std::to_string(error_number) +
                      " " + reason);
  }
};

class Client {
 public:
  explicit Client(const std::string& address, uid_t uid = 0)
      : connection_(connect_as(address, uid)), object_(*connection_) {
    collect();
  }

  Object* operator->() { return &object_; }
  std::string name() const { return std::string(connection_->getUniqueName()); }

  // Every signal the service sent before this call has arrived after it: the answer to a property cannot overtake them.
  std::vector<std::string> collect() {
    static_cast<void>(object_.Version());
    while (bus::process(*connection_)) {
    }
    return std::exchange(object_.signals, {});
  }

 private:
  std::unique_ptr<sdbus::IConnection> connection_;
  Object object_;
};

// The error's name without the project's prefix, and its sentence; "" when there was none.
struct Failure {
  std::string name;
  std::string sentence;
};

template <class Call>
Failure failure_of(Call&& call) {
  try {
    call();
  } catch (const sdbus::Error& error) {
    std::string name(error.getName());
    const std::string prefix = "org.agentassembly.Ebpfd1.Error.";
    if (name.rfind(prefix, 0) == 0) name.erase(0, prefix.size());
    return {name, std::string(error.getMessage())};
  }
  return {};
}

}  // namespace aa::test
