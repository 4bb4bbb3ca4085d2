// options.h: the daemon's command line.
//
// Comes in: argv. Goes out: Options, or the exit status when there is nothing left to do (--help, a usage error: 2).
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "config/load.h"

namespace aa {

inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnable = 3;  // this kernel, or these privileges: starting again cannot help

struct Options {
  std::string config_file;  // "" : the default file, which may be missing
  std::vector<std::string> set;
  std::string record;  // "" : nothing is recorded
  std::string replay;  // "" : not a replay
  std::string bus;     // "" : the system bus
  std::string output = "jsonl";
  bool check_config = false;
  bool print_config = false;
  bool foreground = false;
  bool list_probes = false;
  int ready_fd = -1;
};

std::variant<Options, int> parse_options(int argc, char** argv);

// What these options ask of the configuration: at the start, and at each reload.
Request request_of(const Options& options);

}  // namespace aa
