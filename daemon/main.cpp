// main.cpp: argv → configuration → wiring → loop.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "config/load.h"
#include "daemon.h"
#include "options.h"
#include "source/replay_source.h"

namespace aa {
namespace {

int say_problems(const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) std::cerr << "aa-ebpfd: " << problem.text() << "\n";
  return kExitUsage;
}

std::variant<Config, int> load(const Options& options) {
  Loaded loaded = load_config(request_of(options));
  if (const auto* problems = std::get_if<std::vector<Problem>>(&loaded)) return say_problems(*problems);
  return std::get<Config>(std::move(loaded));
}

void open_log(const Config& config) {
  auto log = spdlog::stderr_color_mt("aa-ebpfd");
  log->set_pattern(::isatty(STDERR_FILENO) != 0 ? "%H:%M:%S.%e %^%l%$ %v" : "%l: %v");
  log->set_level(spdlog::level::from_str(config.log.level));
  spdlog::set_default_logger(log);
}

void print_probes(const Daemon& daemon) {
  for (const ProbeBody& probe : daemon.probes()) {
    std::cout << probe.family << "\t" << probe.program << "\t" << probe.hook << "\t" << name_of(probe.state);
    if (probe.error_number != 0) std::cout << "\terrno " << probe.error_number;
    if (!probe.reason.empty()) std::cout << "\t" << probe.reason;
    std::cout << "\n";
  }
}

int replay(const std::string& path) {
  if (Status replayed = replay_capture(path, STDOUT_FILENO); !replayed) {
    std::cerr << "aa-ebpfd: " << replayed.error().text() << "\n";
    return kExitFailed;
  }
  return 0;
}

int run(int argc, char** argv) {
  auto parsed = parse_options(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const Options options = std::get<Options>(std::move(parsed));
  if (!options.replay.empty()) return replay(options.replay);
  auto loaded = load(options);
  if (const int* status = std::get_if<int>(&loaded)) return *status;
  const Config config = std::get<Config>(std::move(loaded));
  if (options.print_config) std::cout << print_config(config);
  if (options.check_config) std::cout << "the configuration is valid\n";
  if (options.print_config || options.check_config) return 0;
  open_log(config);
  auto daemon = Daemon::make(options, config);
  if (!daemon) {
    std::cerr << "aa-ebpfd: " << daemon.error().text() << "\n";
    return daemon.error().lasting ? kExitUnable : kExitFailed;
  }
  if (options.list_probes) {
    print_probes(**daemon);
    return 0;
  }
  if (Status ended = (*daemon)->run(); !ended) {
    std::cerr << "aa-ebpfd: " << ended.error().text() << "\n";
    return kExitFailed;
  }
  return 0;
}

}  // namespace
}  // namespace aa

int main(int argc, char** argv) {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // a core would hold what watched programs said
  try {
    return aa::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "aa-ebpfd: %s\n", error.what());
    return aa::kExitFailed;
  }
}
