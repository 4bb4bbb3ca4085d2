// base/notify.h: what we tell the service manager. Without one (NOTIFY_SOCKET unset) every call does nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace aa::notify {

void ready(const std::string& status);
void reloading();  // until the next ready()
void status(const std::string& status);
void stopping();

// How often the manager wants to hear alive(), in nanoseconds: half of its limit. nullopt: it has no watchdog for us.
std::optional<std::uint64_t> watchdog_ns();
void alive();

}  // namespace aa::notify
