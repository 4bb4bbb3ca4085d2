#include "base/notify.h"

#include <systemd/sd-daemon.h>

namespace aa::notify {

void ready(const std::string& status) { sd_notify(0, ("READY=1\nSTATUS=" + status).c_str()); }
void status(const std::string& status) { sd_notify(0, ("STATUS=" + status).c_str()); }
void stopping() { sd_notify(0, "STOPPING=1"); }

}  // namespace aa::notify
