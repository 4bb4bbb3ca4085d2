// cli/client.h: the daemon, as aactl sees it.
//
// Comes in: what a verb wants. Goes out: calls of docs/dbus.md, and their answers as JSON with the member names of
// docs/events.md. Knows sdbus-c++; no other file of aactl does.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "state/path_rules.h"

namespace aa {

// The exit statuses of aactl's own doing.
inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;
inline constexpr int kUsage = 2;
inline constexpr int kUnreachable = 3;

// Why a verb ends here: its exit status and one sentence. Thrown, because a verb has nothing else to do then; it stops
// in main().
struct Failure : std::runtime_error {
  Failure(int exit_status, const std::string& sentence) : std::runtime_error(sentence), status(exit_status) {}
  int status;
};

class Client {
 public:
  // Connects to the bus at `address` ("" the system bus) and asks the daemon for its version. Failure: kUnreachable.
  explicit Client(const std::string& address);
  ~Client();

  // All throw Failure: kRefused with the daemon's sentence, kUnreachable when it is gone. Blocking, 25 s at most.
  using Options = std::map<std::string, std::string>;
  std::string start(std::uint32_t pid, const Options& options);
  std::string start_pidfd(int pidfd, const Options& options);
  std::string start_unit(const std::string& unit, const Options& options);
  void stop(const std::string& target);

  void reload();
  std::vector<std::string> awaiting_restart();  // keys

  struct Filter {
    std::string target;
    std::vector<std::string> types;
    std::string severity;
  };
  UniqueFd subscribe(const Filter& filter);  // close-on-exec, non-blocking

  std::vector<nlohmann::json> targets();         // {id, name, root_pid, source, state, live, adopted, lost, …}
  nlohmann::json target(const std::string& id);  // one of them; null when it is not there
  std::vector<nlohmann::json> ancestry(std::uint32_t pid);
  // Every process of a target, or a process and its descendants; in order of start. Whole, page after page.
  std::vector<nlohmann::json> tree_of_target(const std::string& target);
  std::vector<nlohmann::json> tree_of_process(std::uint32_t pid);
  nlohmann::json path_rules();  // {generation, rules: [{pattern, verdict, layer, ops, severity, category, target}]}
  std::uint64_t set_path_rules(const std::vector<PathRule>& rules);  // the running layer, whole; its generation
  nlohmann::json test_path(const std::string& path);                 // {verdict, rule}
  nlohmann::json detect(const std::vector<std::string>& argv);  // {class, severity, rule}, "" where nothing is said
  nlohmann::json explain(std::uint32_t pid);  // as docs/dbus.md lists it; families as {family, state, reason}
  std::string events_file();                  // "" when the daemon writes none
  nlohmann::json status();                    // {version, config_file, boot_time_ns, probes: […], counters: {…}}

 private:
  struct Bus;
  std::unique_ptr<Bus> bus_;
};

}  // namespace aa
