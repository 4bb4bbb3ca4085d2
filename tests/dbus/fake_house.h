// tests/dbus/fake_house.h: a whole daemon without a kernel: Control on a thread of its own, a real Monitor, and plans
// answered from a table of made-up processes.
//
// A test changes the house only through on_loop(), which runs there and waits: the Monitor has one thread.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "control/control.h"

namespace aa::test {

inline LivingProcess living(std::uint32_t pid, std::uint64_t start, ProcessId parent, std::string comm) {
  LivingProcess process;
  process.id = {pid, start};
  process.parent = parent;
  process.ns_pid = pid;
  process.uid = 1000;
  process.gid = 1000;
  process.has_text = true;
  process.exe = "/usr/bin/" + comm;
  process.cwd = "/home/user";
  process.argv = {comm, "--flag"};
  process.cgroup = "/user.slice";
  process.comm = std::move(comm);
  return process;
}

class FakeHouse {
 public:
  explicit FakeHouse(std::string address) : address_(std::move(address)), monitor_(settings()) {
    // 1 init ← 100 shell ← 200 agent ← 300 tool; 900 stands apart.
    add(living(1, 1, {}, "init"));
    add(living(100, 1'000, {1, 1}, "shell"));
    add(living(200, 2'000, {100, 1'000}, "agent"));
    add(living(300, 3'000, {200, 2'000}, "tool"));
    add(living(900, 9'000, {1, 1}, "other"));
    std::promise<void> ready;
    auto started = ready.get_future();
    thread_ = std::thread([this, &ready] { run(ready); });
    try {
      started.get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }
  FakeHouse(const FakeHouse&) = delete;
  FakeHouse& operator=(const FakeHouse&) = delete;
  ~FakeHouse() {
    stopping_ = true;
    wake();
    thread_.join();
  }

  // Runs `work` on the loop and returns when it is done; what it throws is thrown here.
  void on_loop(std::function<void()> work) {
    std::packaged_task<void()> task(std::move(work));
    auto done = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake();
    done.get();
  }

  void feed(Event event) {
    on_loop([&] { take(monitor_.on_event(std::move(event))); });
  }
  void announce(const Event& event) {
    on_loop([&] { control_->signal(event); });
  }

  // On the loop only.
  void add(LivingProcess process) { world_[process.id.pid] = std::move(process); }
  Monitor& monitor() { return monitor_; }
  void take(Step step) {
    for (const auto& answer : step.answers) control_->answer(answer);
    for (const auto& event : step.events) control_->signal(event);
    for (const auto& plan : step.plans) carry_out(plan);
  }
  void make_control() {
    control_.reset();
    auto made = Control::make(address_, house());
    if (!made) throw std::runtime_error(made.error().text());
    control_ = std::move(*made);
  }

  // Set before the call they are for; read on the loop.
  std::atomic<bool> hold_commands{false};  // keeps commands unanswered until release_commands()
  std::function<Result<UniqueFd>(const StreamFilter&)> subscribe;
  std::vector<Command> commands;       // every command taken in
  std::optional<Refusal> enrol_error;  // answers the next enrolment
  std::optional<Refusal> reload_refusal;
  Admitted admitted;
  std::uint32_t slot = 0;  // of the last enrolment
  bool lost_bus = false;   // the last process() said so

  void release_commands() {
    hold_commands = false;
    for (auto& command : std::exchange(held_, {})) take(monitor_.apply(std::move(command)));
  }

 private:
  static Monitor::Settings settings() {
    Monitor::Settings settings;
    settings.boot_id = "6f0c4b1e-7d0a-4c57-9a52-0b8f3f3a9c11";
    settings.realtime_offset_ns = 1'700'000'000'000'000'000;
    return settings;
  }

  Control::House house() {
    Control::House house;
    house.command = [this](Command command) {
      commands.push_back(command);
      if (hold_commands) {
        held_.push_back(std::move(command));
      } else {
        take(monitor_.apply(std::move(command)));
      }
    };
    house.reload = [this](Token token) {
      if (!reload_refusal) control_->reloaded({"paths.rules"}, {"watched.limit"});
      control_->answer({token, reload_refusal ? std::variant<std::string, Refusal>(*reload_refusal) : std::string()});
    };
    house.awaiting_restart = [] { return std::vector<std::string>{"watched.limit"}; };
    house.admitted = &admitted;
    house.monitor = &monitor_;
    house.subscribe = [this](const StreamFilter& filter, const std::function<bool()>&) -> Result<UniqueFd> {
      if (subscribe) return subscribe(filter);
      return Error{"no stream in this test", 0, ""};
    };
    house.tls_stacks = [](std::uint32_t) {
      return std::vector<TlsStack>{{"/lib/libssl.so.3", "attached", ""},
                                   {"/usr/bin/go", "not-covered", "it is a Go program"}};
    };
    house.counters = [] { return std::vector<std::pair<std::string, std::uint64_t>>{{"delivered", 7}, {"lost", 0}}; };
    house.version = "1.2.3";
    house.config_file = "/etc/aa-ebpfd/aa-ebpfd.toml";
    house.boot_time_ns = 1'700'000'000'000'000'000;
    house.self_pid = 4242;
    return house;
  }

  void carry_out(const Plan& plan) {
    if (const auto* enrol = std::get_if<EnrolPlan>(&plan)) take(monitor_.complete(enrolled(*enrol)));
    if (const auto* unit = std::get_if<EnrolUnitPlan>(&plan)) take(monitor_.complete(enrolled(*unit)));
    if (const auto* rules = std::get_if<RulesPlan>(&plan))
      take(monitor_.complete(RulesInForce{rules->token, 60'000, rules->rules->generation(), std::nullopt}));
    if (const auto* release = std::get_if<ReleasePlan>(&plan)) {
      take(monitor_.complete(Released{release->token, release->slot, 50'000, release->return_to}));
    }
  }

  Enrolled enrolled(const EnrolPlan& plan) {
    Enrolled done;
    done.token = plan.token;
    done.slot = slot = plan.slot;
    done.boot_ns = 20'000;
    if (enrol_error) {
      done.refusal = std::exchange(enrol_error, std::nullopt);
      return done;
    }
    const auto root = world_.find(plan.pid);
    if (root == world_.end()) {
      done.refusal = Refusal{Fault::no_such_process, "No process has pid " + std::to_string(plan.pid) + "."};
      return done;
    }
    done.root = root->second.id;
    for (const auto& [pid, process] : world_) add_relative(done, process);
    return done;
  }

  // A unit holds whoever is in its control group.
  Enrolled enrolled(const EnrolUnitPlan& plan) {
    Enrolled done;
    done.token = plan.token;
    done.slot = slot = plan.slot;
    done.boot_ns = 20'000;
    for (auto [pid, process] : world_) {
      if (process.cgroup != plan.cgroup) continue;
      process.watched = process.adopted = true;
      process.slot = plan.slot;
      done.processes.push_back(std::move(process));
    }
    return done;
  }

  void add_relative(Enrolled& done, LivingProcess process) const {
    const bool inside = descends(process.id, done.root);
    if (!inside && !descends(done.root, process.id)) return;
    process.watched = inside;
    process.slot = inside ? done.slot : 0;
    process.adopted = inside && process.id != done.root;
    done.processes.push_back(std::move(process));
  }

  bool descends(ProcessId id, const ProcessId& ancestor) const {
    while (id != ancestor) {
      const auto entry = world_.find(id.pid);
      if (entry == world_.end() || !entry->second.parent) return false;
      id = entry->second.parent;
    }
    return true;
  }

  void run(std::promise<void>& ready) {
    try {
      make_control();
    } catch (...) {
      ready.set_exception(std::current_exception());
      return;
    }
    ready.set_value();
    while (!stopping_) turn();
    control_.reset();
  }

  void turn() {
    bool more = false;
    Control::Poll bus;
    if (control_) {
      const auto result = control_->process(8);
      lost_bus = !result.has_value();
      if (lost_bus) control_.reset();
      more = result.has_value() && *result;
    }
    if (control_) bus = control_->poll();
    pollfd fds[3] = {{wake_.get(), POLLIN, 0}, {bus.fd, bus.events, 0}, {bus.wake_fd, POLLIN, 0}};
    ::poll(fds, 3, more ? 0 : bus.timeout_ms);
    std::uint64_t count = 0;
    if ((fds[0].revents & POLLIN) != 0 && ::read(wake_.get(), &count, sizeof(count)) > 0) run_tasks();
  }

  void run_tasks() {
    std::vector<std::packaged_task<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (auto& task : tasks) task();
  }

  void wake() {
    const std::uint64_t one = 1;
    if (::write(wake_.get(), &one, sizeof(one)) < 0) throw std::runtime_error("wake");
  }

  std::string address_;
  Monitor monitor_;
  std::map<std::uint32_t, LivingProcess> world_;
  std::vector<Command> held_;
  std::unique_ptr<Control> control_;
  UniqueFd wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex_;
  std::vector<std::packaged_task<void()>> tasks_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace aa::test
