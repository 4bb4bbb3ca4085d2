// cli/client.cpp: see client.h.
#include "client.h"

#include <fcntl.h>

#include <tuple>

#include "base/text.h"
#include "control/bus_compat.h"
#include "state/rules_text.h"

namespace aa {
namespace {

using nlohmann::json;
using Variants = std::map<std::string, sdbus::Variant>;
using TargetRow =
    sdbus::Struct<std::string, std::string, std::uint32_t, std::string, std::string, std::uint64_t, Variants>;
using ProcessRow = sdbus::Struct<std::string, std::string, std::uint64_t, std::uint32_t, std::uint32_t, std::uint64_t,
                                 std::string, std::string, std::vector<std::string>, std::int32_t>;
using ProbeRow = sdbus::Struct<std::string, std::string, std::string, std::int32_t, std::string>;

constexpr const char* kManager = "org.agentassembly.Ebpfd1.Manager";
constexpr const char* kLineage = "org.agentassembly.Ebpfd1.Lineage";
constexpr const char* kPath = "/org/agentassembly/Ebpfd1";
constexpr const char* kName = "org.agentassembly.Ebpfd1";

bool starts_with(const std::string& text, const char* start) {
  return text.rfind(start, 0) == 0;
}

// The daemon's own errors and the bus's refusals are a "no"; everything else means that nobody answered.
Failure failure_of(const sdbus::Error& error) {
  const std::string& name = error.getName();
  const std::string& message = error.getMessage();
  if (starts_with(name, "org.agentassembly.Ebpfd1.Error.")) return {kRefused, message};
  const std::string kind = starts_with(name, "org.freedesktop.DBus.Error.") ? name.substr(27) : name;
  if (kind == "ServiceUnknown" || kind == "NameHasNoOwner" || starts_with(kind, "Spawn.")) {
    return {kUnreachable, "aa-ebpfd is not running; start it with: systemctl start aa-ebpfd"};
  }
  if (kind == "AccessDenied") return {kRefused, "the bus refused the call (" + message + "); run it with sudo"};
  if (starts_with(kind, "Unknown")) {
    return {kRefused, "this aa-ebpfd does not know that request (" + message + "); are both of the same version?"};
  }
  if (kind == "InvalidArgs") return {kRefused, message};
  if (kind == "NoReply" || kind == "Timeout" || kind == "TimedOut") {
    return {kUnreachable, "aa-ebpfd did not answer in time; see: systemctl status aa-ebpfd"};
  }
  return {kUnreachable, "lost the connection to aa-ebpfd (" + message + ')'};
}

std::string base64_of(const std::vector<std::uint8_t>& bytes) {
  return base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

json value_of(const sdbus::Variant& variant) {
  const std::string type = variant.peekValueType();
  if (type == "s") return variant.get<std::string>();
  if (type == "u") return variant.get<std::uint32_t>();
  if (type == "t") return variant.get<std::uint64_t>();
  if (type == "i") return variant.get<std::int32_t>();
  if (type == "b") return variant.get<bool>();
  if (type == "as") return variant.get<std::vector<std::string>>();
  if (type == "ay") return base64_of(variant.get<std::vector<std::uint8_t>>());
  if (type != "aay") return nullptr;
  json list = json::array();
  for (const auto& bytes : variant.get<std::vector<std::vector<std::uint8_t>>>()) list.push_back(base64_of(bytes));
  return list;
}

// `<member>_bytes` becomes `<member>_base64`, as in events.
json object_of(const Variants& members) {
  json object = json::object();
  for (const auto& [name, variant] : members) {
    const bool bytes = name.size() > 6 && name.compare(name.size() - 6, 6, "_bytes") == 0;
    object[bytes ? name.substr(0, name.size() - 6) + "_base64" : name] = value_of(variant);
  }
  return object;
}

json object_of(const ProcessRow& row) {
  return {{"id", std::get<0>(row)},  {"parent_id", std::get<1>(row)}, {"start_ns", std::get<2>(row)},
          {"pid", std::get<3>(row)}, {"uid", std::get<4>(row)},       {"exec_ns", std::get<5>(row)},
          {"exe", std::get<6>(row)}, {"cwd", std::get<7>(row)},       {"argv", std::get<8>(row)},
          {"exit", std::get<9>(row)}};
}

Variants variants_of(const Client::Options& options) {
  Variants variants;
  for (const auto& [name, value] : options) variants.emplace(name, sdbus::Variant{value});
  return variants;
}

}  // namespace

struct Client::Bus {
  std::unique_ptr<sdbus::IConnection> connection;
  std::unique_ptr<sdbus::IProxy> proxy;

  // The one place where sdbus-c++'s exceptions stop.
  template <class... Out, class... In>
  std::tuple<Out...> call(const char* interface, const char* method, const In&... in) {
    try {
      std::tuple<Out...> out;
      std::apply(
          [&](Out&... results) {
            proxy->callMethod(method).onInterface(interface).withArguments(in...).storeResultsTo(results...);
          },
          out);
      return out;
    } catch (const sdbus::Error& error) {
      throw failure_of(error);
    }
  }

  template <class Value>
  Value property(const char* name) {
    try {
      return proxy->getProperty(name).onInterface(kManager).template get<Value>();
    } catch (const sdbus::Error& error) {
      throw failure_of(error);
    }
  }

  std::vector<json> pages(const Variants& selector) {
    std::vector<json> processes;
    std::string cursor;
    do {
      auto [page, next] =
          call<std::vector<Variants>, std::string>(kLineage, "ListProcesses", selector, cursor, std::uint32_t{0});
      for (const Variants& process : page) processes.push_back(object_of(process));
      cursor = std::move(next);
    } while (!cursor.empty());
    return processes;
  }
};

Client::Client(const std::string& address) : bus_(std::make_unique<Bus>()) {
  try {
    bus_->connection =
        address.empty() ? sdbus::createSystemBusConnection() : sdbus::createSessionBusConnectionWithAddress(address);
    bus_->proxy = sdbus::createProxy(*bus_->connection, bus::service(kName), sdbus::ObjectPath{kPath});
  } catch (const sdbus::Error& error) {
    const std::string where = address.empty() ? "the system bus" : "the bus at " + address;
    throw Failure(kUnreachable,
                  "cannot connect to " + where + " (" + error.getMessage() + "); is dbus-daemon running?");
  }
  bus_->property<std::string>("Version");
}

Client::~Client() = default;

std::string Client::start(std::uint32_t pid, const Options& options) {
  return std::get<0>(bus_->call<std::string>(kManager, "StartMonitoring", pid, variants_of(options)));
}

std::string Client::start_pidfd(int pidfd, const Options& options) {
  return std::get<0>(
      bus_->call<std::string>(kManager, "StartMonitoringPidfd", sdbus::UnixFd{pidfd}, variants_of(options)));
}

std::string Client::start_unit(const std::string& unit, const Options& options) {
  return std::get<0>(bus_->call<std::string>(kManager, "StartMonitoringUnit", unit, variants_of(options)));
}

void Client::stop(const std::string& target) {
  bus_->call<>(kManager, "StopMonitoring", target);
}

void Client::reload() {
  bus_->call<>(kManager, "Reload");
}

std::vector<std::string> Client::awaiting_restart() {
  return bus_->property<std::vector<std::string>>("AwaitingRestart");
}

UniqueFd Client::subscribe(const Filter& filter) {
  Variants variants;
  if (!filter.target.empty()) variants.emplace("target", sdbus::Variant{filter.target});
  if (!filter.types.empty()) variants.emplace("types", sdbus::Variant{filter.types});
  if (!filter.severity.empty()) variants.emplace("min_severity", sdbus::Variant{filter.severity});
  auto [stream] = bus_->call<sdbus::UnixFd>(kManager, "Subscribe", variants);
  UniqueFd fd(stream.release());
  ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  return fd;
}

std::vector<json> Client::targets() {
  auto [rows] = bus_->call<std::vector<TargetRow>>(kManager, "ListTargets");
  std::vector<json> targets;
  for (const TargetRow& row : rows) {
    json target = object_of(std::get<6>(row));
    target.update({{"id", std::get<0>(row)},
                   {"name", std::get<1>(row)},
                   {"root_pid", std::get<2>(row)},
                   {"source", std::get<3>(row)},
                   {"state", std::get<4>(row)},
                   {"live", std::get<5>(row)}});
    targets.push_back(std::move(target));
  }
  return targets;
}

json Client::detect(const std::vector<std::string>& argv) {
  std::vector<std::string> text;
  text.reserve(argv.size());
  for (const std::string& argument : argv) text.push_back(to_bus_string(argument));
  auto [detect_class, severity, rule] =
      bus_->call<std::string, std::string, std::string>(kManager, "TestCommand", text);
  return {{"class", detect_class}, {"severity", severity}, {"rule", rule}};
}

json Client::explain(std::uint32_t pid) {
  auto [said] = bus_->call<Variants>(kManager, "Explain", pid);
  json out = object_of(said);
  using Family = sdbus::Struct<std::string, std::string, std::string>;
  json families = json::array();
  for (const Family& family : said.at("families").get<std::vector<Family>>())
    families.push_back(
        {{"family", std::get<0>(family)}, {"state", std::get<1>(family)}, {"reason", std::get<2>(family)}});
  out["families"] = std::move(families);
  json stacks = json::array();
  for (const Family& stack : said.at("tls").get<std::vector<Family>>())
    stacks.push_back({{"file", std::get<0>(stack)}, {"state", std::get<1>(stack)}, {"reason", std::get<2>(stack)}});
  out["tls"] = std::move(stacks);
  return out;
}

std::string Client::events_file() {
  return bus_->property<std::string>("EventsFile");
}

json Client::target(const std::string& id) {
  for (json& target : targets()) {
    if (target["id"] == id) return std::move(target);
  }
  return nullptr;
}

std::vector<json> Client::ancestry(std::uint32_t pid) {
  auto [rows] = bus_->call<std::vector<ProcessRow>>(kLineage, "GetAncestry", pid);
  std::vector<json> processes;
  for (const ProcessRow& row : rows) processes.push_back(object_of(row));
  return processes;
}

std::vector<json> Client::tree_of_target(const std::string& target) {
  return bus_->pages({{"target", sdbus::Variant{target}}});
}

std::vector<json> Client::tree_of_process(std::uint32_t pid) {
  return bus_->pages({{"pid", sdbus::Variant{pid}}});
}

json Client::path_rules() {
  using Rule = sdbus::Struct<std::string, std::string, std::string, Variants>;
  auto [generation, rows] = bus_->call<std::uint64_t, std::vector<Rule>>(kManager, "GetPathFilter");
  json rules = json::array();
  for (const Rule& row : rows) {
    json rule = object_of(std::get<3>(row));
    rule.update({{"pattern", std::get<0>(row)}, {"verdict", std::get<1>(row)}, {"layer", std::get<2>(row)}});
    rules.push_back(std::move(rule));
  }
  return {{"generation", generation}, {"rules", std::move(rules)}};
}

std::uint64_t Client::set_path_rules(const std::vector<PathRule>& rules) {
  using Rule = sdbus::Struct<std::string, std::string, Variants>;
  std::vector<Rule> rows;
  for (const PathRule& rule : rules) {
    Variants options;
    if (rule.ops != kAllOps) options.emplace("ops", sdbus::Variant{op_names(rule.ops)});
    if (rule.severity) options.emplace("severity", sdbus::Variant{std::string(name_of(*rule.severity))});
    if (!rule.category.empty()) options.emplace("category", sdbus::Variant{rule.category});
    if (!rule.target.empty()) options.emplace("target", sdbus::Variant{rule.target});
    rows.emplace_back(rule.pattern, std::string(name_of(rule.verdict)), std::move(options));
  }
  auto [generation] = bus_->call<std::uint64_t>(kManager, "SetPathRules", rows);
  return generation;
}

json Client::test_path(const std::string& path) {
  auto [verdict, rule] = bus_->call<std::string, std::string>(kManager, "TestPath", path);
  return {{"verdict", verdict}, {"rule", rule}};
}

json Client::status() {
  json probes = json::array();
  for (const ProbeRow& row : bus_->property<std::vector<ProbeRow>>("ProbeStates")) {
    probes.push_back({{"family", std::get<0>(row)},
                      {"program", std::get<1>(row)},
                      {"state", std::get<2>(row)},
                      {"errno", std::get<3>(row)},
                      {"reason", std::get<4>(row)}});
  }
  return {{"version", bus_->property<std::string>("Version")},
          {"config_file", bus_->property<std::string>("ConfigFile")},
          {"boot_time_ns", bus_->property<std::uint64_t>("BootTime")},
          {"probes", std::move(probes)},
          {"counters", bus_->property<std::map<std::string, std::uint64_t>>("Counters")}};
}

}  // namespace aa
