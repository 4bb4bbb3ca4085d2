// cli/verbs.h: what aactl can do, one function a verb.
//
// Comes in: options already checked for form. Goes out: text on stdout and an exit status; Failure where a verb cannot
// go on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client.h"
#include "output.h"

namespace aa {

struct RunOptions {
  std::string name;
  bool as_root = false;
  bool verbose = false;  // show failed attempts to run a program
  std::string output;    // file for the account; "" stdout
  std::vector<std::string> command;
};
int run(const Globals& globals, const RunOptions& options);

struct WatchOptions {
  std::vector<std::uint32_t> pids;
  std::string unit;
  Client::Options options;  // name, tls
};
int watch(const Globals& globals, const WatchOptions& options);
int unwatch(const Globals& globals, const std::vector<std::string>& targets);
int targets(const Globals& globals);
std::string targets_table(const std::vector<nlohmann::json>& targets, const Style& style);

struct EventsOptions {
  Client::Filter filter;
  std::string since;  // "" from now on
  bool follow = false;
};
int events(const Globals& globals, const EventsOptions& options);

int tree(const Globals& globals, const std::string& pid_or_target);
int ancestry(const Globals& globals, std::uint32_t pid);

int paths(const Globals& globals);
int paths_set(const Globals& globals, const std::string& file);  // "-": standard input
int paths_test(const Globals& globals, const std::string& path);

int detect(const Globals& globals, const std::vector<std::string>& command);
int explain(const Globals& globals, std::uint32_t pid);
int stats(const Globals& globals);
int doctor(const Globals& globals);
int status(const Globals& globals);
int reload(const Globals& globals);

}  // namespace aa
