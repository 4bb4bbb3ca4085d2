// control/bus_compat.h: everything that differs between sdbus-c++ 1.2 (Debian 12) and 2.1 (Debian 13).
//
// Comes in: nothing. Goes out: one spelling for both; no other file knows which version is installed. ObjectPath and
// UnixFd are spelled the same in both and are used as they are.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace aa::bus {

#if __has_include(<sdbus-c++/VTableItems.h>)  // 2.x

using ReplyError = std::optional<sdbus::Error>;  // what a reply callback receives; tests and -> fit both versions
using ServiceName = sdbus::ServiceName;

inline sdbus::Error make_error(const std::string& name, const std::string& text) {
  return sdbus::Error{sdbus::Error::Name{name}, text};
}
inline std::string sender(const sdbus::IObject& object) {
  return std::string(object.getCurrentlyProcessedMessage().getSender());
}
inline bool process(sdbus::IConnection& connection) {
  return connection.processPendingEvent();
}
inline int wake_fd(const sdbus::IConnection::PollData& data) {
  return data.eventFd;
}
inline void tell_changed(sdbus::IObject& object, const char* interface, const char* property) {
  object.emitPropertiesChangedSignal(sdbus::InterfaceName{interface}, {sdbus::PropertyName{property}});
}

#else  // 1.x

using ReplyError = const sdbus::Error*;
using ServiceName = std::string;

inline sdbus::Error make_error(const std::string& name, const std::string& text) {
  return sdbus::Error{name, text};
}
inline std::string sender(const sdbus::IObject& object) {
  return object.getCurrentlyProcessedMessage()->getSender();
}
inline bool process(sdbus::IConnection& connection) {
  return connection.processPendingRequest();
}
inline int wake_fd(const sdbus::IConnection::PollData&) {
  return -1;
}
inline void tell_changed(sdbus::IObject& object, const char* interface, const char* property) {
  object.emitPropertiesChangedSignal(interface, std::vector<std::string>{property});
}

#endif

inline ServiceName service(const char* name) {
  return ServiceName{name};
}

}  // namespace aa::bus
