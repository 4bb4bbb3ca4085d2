// tests/support/monitored.h: a Monitor, and short words for what a kernel would tell it.
//
//   Monitored house;
//   const std::uint32_t slot = house.watch(agent);            // enrolled, its "added" event consumed
//   Step step = house(an_exit().of(agent).in_slot(slot));     // one record
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "state/monitor.h"
#include "support/builders.h"
#include "support/catch.h"

namespace aa::test {

// A family: each the child of the one before.
inline const Who kInit = a_process(1, 1, "init");
inline const Who kAgent = a_process(100, 1'000, "agent").child_of(kInit);
inline const Who kShell = a_process(200, 2'000, "shell").child_of(kAgent);
inline const Who kTool = a_process(300, 3'000, "tool").child_of(kShell);

inline LivingProcess living(const ProcessRef& who, std::uint32_t slot = 0, bool adopted = false) {
  LivingProcess out;
  out.id = who.id;
  out.parent = who.parent;
  out.uid = who.uid;
  out.gid = who.gid;
  out.ns_pid = who.ns_pid;
  out.image = who.image;
  out.comm = who.comm;
  out.slot = slot;
  out.watched = slot != 0;
  out.adopted = adopted;
  return out;
}

inline LivingProcess with_text(LivingProcess process, std::string exe, std::vector<std::string> argv) {
  process.has_text = true;
  process.exe = std::move(exe);
  process.argv = std::move(argv);
  process.cwd = "/";
  return process;
}

template <class T>
std::vector<T> plans_of(const Step& step) {
  std::vector<T> out;
  for (const Plan& plan : step.plans) {
    if (const T* one = std::get_if<T>(&plan)) out.push_back(*one);
  }
  return out;
}

template <class T>
std::vector<T> bodies_of(const Step& step) {
  std::vector<T> out;
  for (const Event& event : step.events) {
    if (const T* body = std::get_if<T>(&event.body)) out.push_back(*body);
  }
  return out;
}

inline std::vector<std::string> types_of(const Step& step) {
  std::vector<std::string> out;
  for (const Event& event : step.events) {
    std::string type(type_name(event.body));
    if (const auto* target = std::get_if<TargetBody>(&event.body)) type += ":" + std::string(name_of(target->change));
    out.push_back(std::move(type));
  }
  return out;
}

inline Fault fault_of(const Step& step) {
  REQUIRE(step.answers.size() == 1);
  REQUIRE(std::holds_alternative<Refusal>(step.answers[0].outcome));
  CHECK_FALSE(std::get<Refusal>(step.answers[0].outcome).sentence.empty());
  return std::get<Refusal>(step.answers[0].outcome).fault;
}

inline std::string text_of(const Step& step) {
  REQUIRE(step.answers.size() == 1);
  REQUIRE(std::holds_alternative<std::string>(step.answers[0].outcome));
  return std::get<std::string>(step.answers[0].outcome);
}

struct Monitored {
  static Monitor::Settings settings() {
    Monitor::Settings out;
    out.boot_id = "3ad1f7a4-5a6e-4f5e-9d26-8e3a1c1f0b77";
    out.realtime_offset_ns = 1'000'000'000'000;
    return out;
  }

  explicit Monitored(Monitor::Settings with = settings()) : monitor(std::move(with)) {}

  Step operator()(Event event) { return monitor.on_event(std::move(event)); }

  Step ask(std::uint32_t pid, std::string name = "", Token token = 7) {
    StartMonitoring command;
    command.token = token;
    command.pid = pid;
    command.name = std::move(name);
    return monitor.apply(std::move(command));
  }

  // The slot of the one EnrolPlan that asking for `pid` gives.
  std::uint32_t begin(std::uint32_t pid, std::string name = "") {
    const Step step = ask(pid, std::move(name));
    REQUIRE(plans_of<EnrolPlan>(step).size() == 1);
    return plans_of<EnrolPlan>(step)[0].slot;
  }

  Step enrolled(std::uint32_t slot, const ProcessRef& root, std::vector<LivingProcess> processes,
                std::optional<std::uint32_t> outer = {}) {
    Enrolled done;
    done.token = 7;
    done.slot = slot;
    done.boot_ns = now;
    done.root = root.id;
    done.outer = outer;
    done.processes = std::move(processes);
    return monitor.complete(std::move(done));
  }

  // Enrolls `root` with nobody else; returns its slot.
  std::uint32_t watch(const ProcessRef& root, std::string name = "", std::optional<std::uint32_t> outer = {}) {
    const std::uint32_t slot = begin(root.id.pid, std::move(name));
    enrolled(slot, root, {living(root, slot, true)}, outer);
    return slot;
  }

  Step stop(std::string target, Token token = 8) { return monitor.apply(StopMonitoring{token, std::move(target)}); }

  Step released(std::uint32_t slot, std::optional<std::uint32_t> return_to = {}) {
    return monitor.complete(Released{8, slot, now, return_to});
  }

  const Target& only_target() {
    REQUIRE(monitor.targets().size() == 1);
    return *monitor.targets()[0];
  }

  Monitor monitor;
  std::uint64_t now = 2'000'000;
};

}  // namespace aa::test
