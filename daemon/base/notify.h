// base/notify.h: what we tell the service manager. Without one (NOTIFY_SOCKET unset) every call does nothing.
#pragma once

#include <string>

namespace aa::notify {

void ready(const std::string& status);
void status(const std::string& status);
void stopping();

}  // namespace aa::notify
