#include "control/units.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace aa {

namespace {

constexpr const char* kSystemd = "org.freedesktop.systemd1";
constexpr const char* kUnitInterface = "org.freedesktop.systemd1.Unit";
constexpr std::size_t kNameMax = 255;

// The types of units that have processes, and the interface that says where.
constexpr std::array<std::pair<std::string_view, const char*>, 6> kTypes = {
    {{".service", "org.freedesktop.systemd1.Service"},
     {".scope", "org.freedesktop.systemd1.Scope"},
     {".slice", "org.freedesktop.systemd1.Slice"},
     {".socket", "org.freedesktop.systemd1.Socket"},
     {".mount", "org.freedesktop.systemd1.Mount"},
     {".swap", "org.freedesktop.systemd1.Swap"}}};
constexpr std::array<std::string_view, 5> kEmptyTypes = {".target", ".timer", ".path", ".device", ".automount"};

constexpr std::array<std::string_view, 10> kControllers = {"cpu",    "cpuacct", "cpuset", "io",   "blkio",
                                                           "memory", "devices", "pids",   "misc", "hugetlb"};

const char* interface_of(std::string_view unit) {
  for (const auto& [suffix, interface] : kTypes)
    if (unit.ends_with(suffix)) return interface;
  return nullptr;
}

bool is_unit_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(":-_.\\@").find(c) != std::string_view::npos;
}

std::optional<Refusal> check_unit_name(std::string_view name) {
  const auto bad = [](std::string_view what) {
    return Refusal{Fault::invalid_argument, "the unit's name " + std::string(what) +
                                                "; give a unit that has processes, such as nginx.service, "
                                                "session-3.scope or user.slice; systemctl status PID names a "
                                                "process's unit"};
  };
  if (name.empty()) return bad("is empty");
  if (name.size() > kNameMax) return bad("has " + std::to_string(name.size()) + " bytes");
  if (!std::ranges::all_of(name, is_unit_character)) return bad("holds a character that no unit's name has");
  if (name.find("@.") != std::string_view::npos) return bad("is a template's, not a unit's");
  for (const std::string_view type : kEmptyTypes)
    if (name.ends_with(type)) return bad("ends in " + std::string(type) + ", and such a unit has no processes");
  return std::nullopt;
}

// systemd.slice(5): a-b.slice lies in a.slice; "-.slice" is the root.
std::string path_of_slice(std::string_view slice) {
  constexpr std::string_view kSuffix = ".slice";
  if (slice == "-.slice") return "";
  const std::string_view stem = slice.substr(0, slice.size() - kSuffix.size());
  std::string path;
  for (std::size_t at = stem.find('-'); at != std::string_view::npos; at = stem.find('-', at + 1))
    path += "/" + std::string(stem.substr(0, at)) + std::string(kSuffix);
  return path + "/" + std::string(slice);
}

// systemd writes a "_" before names that a file of the control group could have.
std::string escaped(const std::string& unit) {
  const std::string_view stem = std::string_view(unit).substr(0, unit.find('.'));
  const bool taken = unit.front() == '_' || unit.front() == '.' || stem == "cgroup" ||
                     std::ranges::find(kControllers, stem) != kControllers.end();
  return (taken ? "_" : "") + unit;
}

// Why systemd did not say. Its own words are kept: they name the unit.
Refusal refusal_of(const sdbus::Error& error) {
  const std::string& name = error.getName();
  if (name == "org.freedesktop.DBus.Error.ServiceUnknown" || name == "org.freedesktop.DBus.Error.NameHasNoOwner")
    return {Fault::not_supported,
            "systemd is not on this bus, so there are no units to watch: watch processes by their pid"};
  return {Fault::failed, "systemd did not say where the unit's processes are: " + std::string(error.getMessage())};
}

}  // namespace

struct Units::Search {
  std::string unit;
  Then then;  // null once called
  std::unique_ptr<sdbus::IProxy> manager;
  std::unique_ptr<sdbus::IProxy> object;

  void end(const Found& found) {
    const Then now = std::exchange(then, nullptr);
    if (now) now(found);
  }
};

void Units::find(const std::string& name, Then then) {
  std::erase_if(searches_, [](const Searching& search) { return search->then == nullptr; });
  if (const auto bad = check_unit_name(name)) return then(*bad);
  const Searching search = searches_.emplace_back(std::make_shared<Search>());
  search->unit = interface_of(name) != nullptr ? name : name + ".service";
  search->then = std::move(then);
  try {
    load(search);
  } catch (const sdbus::Error& error) {
    search->end(refusal_of(error));
  }
}

// Also a unit that does not run is known then, if there is one of that name.
void Units::load(const Searching& search) {
  search->manager =
      sdbus::createProxy(connection_, bus::service(kSystemd), sdbus::ObjectPath{"/org/freedesktop/systemd1"});
  search->manager->callMethodAsync("LoadUnit")
      .onInterface("org.freedesktop.systemd1.Manager")
      .withArguments(search->unit)
      .uponReplyInvoke([this, weak = std::weak_ptr(search)](bus::ReplyError error, const sdbus::ObjectPath& path) {
        const Searching found = weak.lock();
        if (!found) return;
        if (error) return found->end(refusal_of(*error));
        try {
          found->object = sdbus::createProxy(connection_, bus::service(kSystemd), path);
        } catch (const sdbus::Error& failed) {
          return found->end(refusal_of(failed));
        }
        ask(found, kUnitInterface, "Id", &named);
      });
}

void Units::ask(const Searching& search, const char* interface, const char* property,
                void (*next)(const Searching&, const std::string&)) try {
  search->object->callMethodAsync("Get")
      .onInterface("org.freedesktop.DBus.Properties")
      .withArguments(std::string(interface), std::string(property))
      .uponReplyInvoke([weak = std::weak_ptr(search), next](bus::ReplyError error, const sdbus::Variant& value) {
        const Searching found = weak.lock();
        if (!found) return;
        if (error) return found->end(refusal_of(*error));
        if (!value.containsValueOfType<std::string>())
          return found->end(Refusal{Fault::failed, "systemd's answer about " + found->unit + " is not a string"});
        next(found, value.get<std::string>());
      });
} catch (const sdbus::Error& error) {
  search->end(refusal_of(error));
}

void Units::named(const Searching& search, const std::string& id) {
  if (interface_of(id) == nullptr)
    return search->end(
        Refusal{Fault::invalid_argument, search->unit + " is " + id + ", and such a unit has no processes"});
  search->unit = id;
  ask(search, interface_of(id), "ControlGroup", &placed);
}

void Units::placed(const Searching& search, const std::string& cgroup) {
  if (!cgroup.empty()) return search->end(Place{search->unit, cgroup});
  ask(search, kUnitInterface, "LoadState", &judged);
}

void Units::judged(const Searching& search, const std::string& load_state) {
  if (load_state != "loaded")
    return search->end(Refusal{Fault::invalid_argument, "systemd has no unit " + search->unit + " to watch: it is " +
                                                            load_state +
                                                            "; systemctl list-units shows those there "
                                                            "are"});
  if (search->unit.ends_with(".slice")) {
    const std::string path = path_of_slice(search->unit);
    return search->end(Place{search->unit, path.empty() ? "/" : path});
  }
  ask(search, interface_of(search->unit), "Slice", &sliced);
}

void Units::sliced(const Searching& search, const std::string& slice) {
  const std::string in = slice.ends_with(".slice") ? path_of_slice(slice) : "/system.slice";
  search->end(Place{search->unit, in + "/" + escaped(search->unit)});
}

}  // namespace aa
