#include "control/bus_object.h"

#include "base/text.h"
#include "control/convert.h"
#include "ebpfd1_lineage_adaptor.h"
#include "ebpfd1_manager_adaptor.h"

namespace aa {

namespace {

constexpr const char* kPath = "/org/agentassembly/Ebpfd1";
constexpr const char* kManagerInterface = "org.agentassembly.Ebpfd1.Manager";

using Adaptors =
    sdbus::AdaptorInterfaces<org::agentassembly::Ebpfd1::Manager_adaptor, org::agentassembly::Ebpfd1::Lineage_adaptor>;

template <class... Values>
using Pending = Gate::Pending<Values...>;

// Runs a property getter; whatever it throws becomes an error reply, because a foreign exception would end the daemon.
template <class Getter>
auto property(Getter&& getter) {
  try {
    return getter();
  } catch (const std::exception& error) {
    throw bus::make_error(error_name(Fault::failed), to_bus_string(error.what()));
  }
}

class Exported final : public BusObject, private Adaptors {
 public:
  explicit Exported(const Parts& parts)
      : Adaptors(parts.connection, sdbus::ObjectPath{kPath}),
        gate_(parts.gate),
        manager_(parts.manager),
        units_(parts.units),
        lineage_(parts.lineage),
        house_(parts.house) {
    registerAdaptor();
  }
  Exported(const Exported&) = delete;
  Exported& operator=(const Exported&) = delete;
  ~Exported() override { unregisterAdaptor(); }

  void announce(const Event& event) override {
    if (const auto* alert = std::get_if<AlertBody>(&event.body)) {
      emitAlert(to_bus_string(alert->kind), std::string(name_of(alert->severity)),
                event.target ? event.target->id : std::string(), event.process ? event.process->id.pid : 0,
                to_bus_string(alert->summary), alert_details(event, *alert));
    } else if (const auto* change = std::get_if<TargetBody>(&event.body)) {
      if (event.target) announce_target(change->change, event.target->id);
    } else if (const auto* loss = std::get_if<LossBody>(&event.body)) {
      emitEventsLost(to_bus_string(loss->family), to_bus_string(loss->cause), loss->count);
    } else if (const auto* probe = std::get_if<ProbeBody>(&event.body)) {
      emitProbeStateChanged(to_bus_string(probe->family), to_bus_string(probe->program),
                            std::string(name_of(probe->state)), probe->error_number, to_bus_string(probe->reason));
    }
  }

  void announce_reload(const std::vector<std::string>& changed, const std::vector<std::string>& awaiting) override {
    emitReloaded(changed, awaiting);
    bus::tell_changed(getObject(), kManagerInterface, "PathFilterGeneration");
  }

 private:
  // An exited target's row stays listed, but nothing of it is watched any more: to a listener both are a removal.
  void announce_target(TargetChange change, const std::string& id) {
    if (change == TargetChange::added) emitTargetAdded(id);
    if (change == TargetChange::removed || change == TargetChange::exited) emitTargetRemoved(id);
  }

  // The gate with this object as the place to ask for the sender.
  template <class... Values>
  void enter(const char* member, sdbus::Result<Values...>&& result, Gate::Body<Values...> body) {
    gate_.enter(getObject(), member, std::move(result), std::move(body));
  }

  // A query: answered with what `get` returns.
  template <class Value, class Get>
  void query(const char* member, sdbus::Result<Value>&& result, Get get) {
    enter(member, std::move(result),
          [get = std::move(get)](const Caller&, const Pending<Value>& pending) { pending->values(get()); });
  }

  static ManagerService::Then answer_with_id(const Pending<std::string>& pending) {
    return [pending](const Answer& answer) {
      if (const auto* refusal = std::get_if<Refusal>(&answer.outcome)) {
        pending->refuse(*refusal);
      } else {
        pending->values(std::get<std::string>(answer.outcome));
      }
    };
  }

  static ManagerService::Then answer_done(const Pending<>& pending) {
    return [pending](const Answer& answer) {
      if (const auto* refusal = std::get_if<Refusal>(&answer.outcome)) {
        pending->refuse(*refusal);
      } else {
        pending->values();
      }
    };
  }

  // The set is in force: whoever asked learns its generation, and so does everybody who listens.
  ManagerService::Then answer_with_generation(const Pending<std::uint64_t>& pending) {
    return [this, pending](const Answer& answer) {
      if (const auto* refusal = std::get_if<Refusal>(&answer.outcome)) return pending->refuse(*refusal);
      pending->values(std::stoull(std::get<std::string>(answer.outcome)));
      bus::tell_changed(getObject(), kManagerInterface, "PathFilterGeneration");
    };
  }

  // ---- Manager ----

  void StartMonitoring(sdbus::Result<std::string>&& result, std::uint32_t pid, Dict options) override {
    enter("StartMonitoring", std::move(result),
          [this, pid, options](const Caller& caller, const Pending<std::string>& pending) {
            manager_.start_monitoring(caller, pid, options, answer_with_id(pending));
          });
  }

  void StartMonitoringPidfd(sdbus::Result<std::string>&& result, sdbus::UnixFd pidfd, Dict options) override {
    enter("StartMonitoringPidfd", std::move(result),
          [this, pidfd, options](const Caller& caller, const Pending<std::string>& pending) {
            manager_.start_monitoring_pidfd(caller, pidfd.get(), options, answer_with_id(pending));
          });
  }

  void StartMonitoringUnit(sdbus::Result<std::string>&& result, std::string unit, Dict options) override {
    enter("StartMonitoringUnit", std::move(result),
          [this, unit, options](const Caller& caller, const Pending<std::string>& pending) {
            const auto command = ManagerService::unit_command(caller, options);
            units_.find(unit, [this, command, pending](const Units::Found& found) {
              Gate::try_answer<std::string>(
                  pending, [&] { manager_.start_monitoring_unit(command, found, answer_with_id(pending)); });
            });
          });
  }

  void StopMonitoring(sdbus::Result<>&& result, std::string target) override {
    enter("StopMonitoring", std::move(result), [this, target](const Caller&, const Pending<>& pending) {
      manager_.stop_monitoring(target, answer_done(pending));
    });
  }

  void ListTargets(sdbus::Result<std::vector<TargetRow>>&& result) override {
    query("ListTargets", std::move(result), [this] { return manager_.list_targets(); });
  }

  void Subscribe(sdbus::Result<sdbus::UnixFd>&& result, Dict filter) override {
    enter("Subscribe", std::move(result), [this, filter](const Caller& caller, const Pending<sdbus::UnixFd>& pending) {
      pending->values(sdbus::UnixFd(manager_.subscribe(caller, filter).release(), sdbus::adopt_fd));
    });
  }

  void UpdatePathFilter(sdbus::Result<std::uint64_t>&& result, std::vector<PatternRow> patterns) override {
    enter("UpdatePathFilter", std::move(result),
          [this, patterns](const Caller&, const Pending<std::uint64_t>& pending) {
            std::vector<NewRuleRow> rules;
            rules.reserve(patterns.size());
            for (const PatternRow& row : patterns) rules.emplace_back(std::get<0>(row), std::get<1>(row), Dict{});
            manager_.set_path_rules(rules, answer_with_generation(pending));
          });
  }
  void SetPathRules(sdbus::Result<std::uint64_t>&& result, std::vector<NewRuleRow> rules) override {
    enter("SetPathRules", std::move(result), [this, rules](const Caller&, const Pending<std::uint64_t>& pending) {
      manager_.set_path_rules(rules, answer_with_generation(pending));
    });
  }
  void GetPathFilter(sdbus::Result<std::uint64_t, std::vector<RuleRow>>&& result) override {
    using Rules = Pending<std::uint64_t, std::vector<RuleRow>>;
    enter("GetPathFilter", std::move(result), [this](const Caller&, const Rules& pending) {
      pending->values(manager_.path_generation(), manager_.path_rules());
    });
  }
  void TestPath(sdbus::Result<std::string, std::string>&& result, std::string path) override {
    enter("TestPath", std::move(result), [this, path](const Caller&, const Pending<std::string, std::string>& pending) {
      const auto verdict = manager_.test_path(path);
      pending->values(verdict.verdict, verdict.rule);
    });
  }
  void TestCommand(sdbus::Result<std::string, std::string, std::string>&& result,
                   std::vector<std::string> argv) override {
    using Answer = Pending<std::string, std::string, std::string>;
    enter("TestCommand", std::move(result), [this, argv = std::move(argv)](const Caller&, const Answer& pending) {
      const auto said = manager_.test_command(argv);
      pending->values(said.detect_class, said.severity, said.rule);
    });
  }
  void Reload(sdbus::Result<>&& result) override {
    enter("Reload", std::move(result),
          [this](const Caller&, const Pending<>& pending) { manager_.reload(answer_done(pending)); });
  }
  void Explain(sdbus::Result<Dict>&& result, std::uint32_t pid) override {
    query("Explain", std::move(result), [this, pid] { return manager_.explain_process(pid); });
  }

  std::string Version() override { return house_.version; }
  std::vector<ProbeRow> ProbeStates() override {
    return property([this] { return manager_.probe_states(); });
  }
  std::map<std::string, std::uint64_t> Counters() override {
    return property([this] { return manager_.counters(); });
  }
  std::uint64_t PathFilterGeneration() override { return manager_.path_generation(); }
  std::string ConfigFile() override { return to_bus_string(house_.config_file); }
  std::string EventsFile() override { return to_bus_string(house_.events_file); }
  std::vector<std::string> AwaitingRestart() override { return house_.awaiting_restart(); }
  std::uint64_t BootTime() override { return house_.boot_time_ns; }

  // ---- Lineage ----

  void GetProcess(sdbus::Result<Dict>&& result, std::uint32_t pid) override {
    query("GetProcess", std::move(result), [this, pid] { return lineage_.get_process(pid); });
  }
  void GetAncestry(sdbus::Result<std::vector<ProcessRow>>&& result, std::uint32_t pid) override {
    query("GetAncestry", std::move(result), [this, pid] { return lineage_.get_ancestry(pid); });
  }
  void GetDescendants(sdbus::Result<std::vector<ProcessRow>>&& result, std::uint32_t pid,
                      std::uint32_t depth) override {
    query("GetDescendants", std::move(result), [this, pid, depth] { return lineage_.get_descendants(pid, depth); });
  }
  void IsDescendantOf(sdbus::Result<bool>&& result, std::uint32_t pid, std::uint32_t ancestor) override {
    query("IsDescendantOf", std::move(result),
          [this, pid, ancestor] { return lineage_.is_descendant_of(pid, ancestor); });
  }
  void GetTree(sdbus::Result<std::vector<ProcessRow>>&& result, std::string target) override {
    query("GetTree", std::move(result), [this, target] { return lineage_.get_tree(target); });
  }
  void ListProcesses(sdbus::Result<std::vector<Dict>, std::string>&& result, Dict selector, std::string cursor,
                     std::uint32_t limit) override {
    using Page = Pending<std::vector<Dict>, std::string>;
    enter("ListProcesses", std::move(result), [this, selector, cursor, limit](const Caller&, const Page& pending) {
      const auto page = lineage_.list_processes(selector, cursor, limit);
      pending->values(page.processes, page.next);
    });
  }

  Gate& gate_;
  ManagerService& manager_;
  Units& units_;
  const LineageService& lineage_;
  const Control::House& house_;
};

}  // namespace

std::unique_ptr<BusObject> BusObject::make(const Parts& parts) {
  return std::make_unique<Exported>(parts);
}

}  // namespace aa
