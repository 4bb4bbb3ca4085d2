// control/control.h: the D-Bus face: name, object, methods, properties, signals.
//
// Comes in: calls on the bus. Goes out: Commands (left, to the Monitor) and replies. Knows sdbus-c++, nothing of BPF.
// One object owns connection, adaptors and proxies and can be destroyed and made again while events go on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "control/access.h"
#include "event/stream_filter.h"
#include "state/explain.h"
#include "state/monitor.h"

namespace aa {

class Control {
 public:
  // What Control needs of the house. All called from the loop's thread.
  struct House {
    std::function<void(Command)> command;  // answered through Control::answer, perhaps before it returns
    std::function<void(Token)> reload;     // answered as a command is
    std::function<std::vector<std::string>()> awaiting_restart;  // keys whose new value does
    const Admitted* admitted = nullptr;                          // whom besides root
    const Monitor* monitor = nullptr;                            // queries only
    // Read end of a new subscriber's pipe; `allowed` says whenever it is asked whether its caller may still read.
    std::function<Result<UniqueFd>(const StreamFilter&, std::function<bool()> allowed)> subscribe;
    std::function<std::vector<std::pair<std::string, std::uint64_t>>()> counters;  // property Counters, sorted
    std::function<std::vector<TlsStack>(std::uint32_t pid)> tls_stacks;
    std::string version;
    std::string config_file;
    std::string events_file;
    std::uint64_t boot_time_ns = 0;  // CLOCK_REALTIME at boot-time zero
    std::uint32_t self_pid = 0;
  };

  // Connects (DBUS_SYSTEM_BUS_ADDRESS or the system bus when `address` is empty), exports, requests the name. Error: no
  // bus, name refused by policy or taken; the hint says what to do.
  static Result<std::unique_ptr<Control>> make(const std::string& address, House house);
  ~Control();

  // For the loop: descriptors to poll now (asked again before every wait) and how long the bus allows to wait.
  struct Poll {
    int fd = -1;
    int wake_fd = -1;  // sdbus-c++ 2.x's second descriptor, −1 in 1.x
    short events = 0;  // poll(2) bits
    int timeout_ms = -1;
  };
  Poll poll() const;

  // Handles at most `budget` pending messages; true when more are waiting. Error: the bus is gone; destroy this object.
  Result<bool> process(int budget);

  // The Monitor's answer to a command; a token nobody waits for is ignored.
  void answer(const Answer& answer);

  // Where a unit's processes are. `then` is called once, perhaps before this returns; never when this object goes away.
  void find_unit(const std::string& unit, std::function<void(UnitFound)> then);

  // Announces a configuration that was taken in: keys that changed, keys that wait for a restart.
  void reloaded(const std::vector<std::string>& changed, const std::vector<std::string>& awaiting_restart);

  // Signals, from finished events: Alert, TargetAdded, TargetRemoved, EventsLost, ProbeStateChanged. Others are
  // ignored.
  void signal(const Event& event);

 private:
  struct Impl;
  explicit Control(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace aa
