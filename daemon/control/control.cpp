#include "control/control.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "control/bus_object.h"

namespace aa {

namespace {

constexpr const char* kName = "org.agentassembly.Ebpfd1";

Error connect_error(const sdbus::Error& error, const std::string& address) {
  return {"connect to " + (address.empty() ? std::string("the system bus") : address) + ": " + error.getMessage(), 0,
          "start dbus, or pass --bus ADDRESS"};
}

Error name_error(const sdbus::Error& error) {
  const std::string& name = error.getName();
  Error out{std::string("own the bus name ") + kName + ": " + std::string(error.getMessage()), 0, ""};
  if (name == "org.freedesktop.DBus.Error.AccessDenied") {
    out.hint = "install dbus/org.agentassembly.Ebpfd1.conf into /usr/share/dbus-1/system.d and reload the bus";
  } else if (name == "org.freedesktop.DBus.Error.FileExists" || name == "System.Error.EEXIST") {
    out.hint = "another aa-ebpfd runs on this bus; stop it first";
  } else {
    out.hint = "start dbus, or pass --bus ADDRESS";
  }
  return out;
}

std::unique_ptr<sdbus::IConnection> connect(const std::string& address) {
  if (!address.empty()) ::setenv("DBUS_SYSTEM_BUS_ADDRESS", address.c_str(), 1);
  return sdbus::createSystemBusConnection();
}

}  // namespace

// In the order of who needs whom: destruction runs backwards, so replies still owed go out before the connection ends.
struct Control::Impl {
  Impl(std::unique_ptr<sdbus::IConnection> bus, House h)
      : house(std::move(h)),
        connection(std::move(bus)),
        manager(house),
        lineage(*house.monitor),
        callers(*connection),
        gate(callers),
        units(*connection),
        object(BusObject::make({*connection, gate, manager, units, lineage, house})) {}

  House house;
  std::unique_ptr<sdbus::IConnection> connection;
  ManagerService manager;
  LineageService lineage;
  Callers callers;
  Gate gate;
  Units units;
  std::unique_ptr<BusObject> object;
};

Control::Control(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Control::~Control() = default;

Result<std::unique_ptr<Control>> Control::make(const std::string& address, House house) {
  std::unique_ptr<Impl> impl;
  try {
    impl = std::make_unique<Impl>(connect(address), std::move(house));
  } catch (const sdbus::Error& error) {
    return connect_error(error, address);
  }
  try {
    impl->connection->requestName(bus::service(kName));
  } catch (const sdbus::Error& error) {
    return name_error(error);
  }
  return std::unique_ptr<Control>(new Control(std::move(impl)));
}

Control::Poll Control::poll() const {
  const auto data = impl_->connection->getEventLoopPollData();
  return {data.fd, bus::wake_fd(data), data.events, data.getPollTimeout()};
}

Result<bool> Control::process(int budget) {
  try {
    for (; budget > 0; --budget) {
      if (!bus::process(*impl_->connection)) return false;
    }
    return true;
  } catch (const std::exception& error) {
    return Error{std::string("talk to the bus: ") + error.what(), 0, "the daemon connects again by itself"};
  }
}

void Control::answer(const Answer& answer) {
  impl_->manager.answer(answer);
}

void Control::find_unit(const std::string& unit, std::function<void(UnitFound)> then) {
  impl_->units.find(unit, [unit, then = std::move(then)](const Units::Found& found) {
    UnitFound answer;
    answer.unit = unit;
    if (const auto* place = std::get_if<Units::Place>(&found)) {
      answer.id = place->unit;
      answer.cgroup = place->cgroup;
    } else {
      answer.refusal = std::get<Refusal>(found);
    }
    then(std::move(answer));
  });
}

void Control::reloaded(const std::vector<std::string>& changed, const std::vector<std::string>& awaiting_restart) try {
  impl_->object->announce_reload(changed, awaiting_restart);
} catch (const sdbus::Error&) {
}

// A connection that fails while sending is reported by the next process(), which is where it is replaced.
void Control::signal(const Event& event) try { impl_->object->announce(event); } catch (const sdbus::Error&) {
}

}  // namespace aa
