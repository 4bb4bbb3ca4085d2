#include "options.h"

#include <CLI/CLI.hpp>
#include <filesystem>

namespace aa {

std::variant<Options, int> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app{
      "aa-ebpfd watches processes and everything they start, from the kernel, and tells it over D-Bus.\n"
      "It is usually started by systemd (systemctl enable --now aa-ebpfd) and needs root.\n"
      "Talk to it with aactl, for example: aactl run -- git status"};
  app.set_version_flag("--version", std::string("aa-ebpfd " AA_VERSION));
  app.add_option("--config", options.config_file,
                 "configuration file (default " AA_SYSCONFDIR "/aa-ebpfd/config.toml, if it exists)");
  app.add_option("--set", options.set, "one value over the file's, for example watched.limit=1024; may be repeated")
      ->take_all();
  app.add_option("--bus", options.bus, "D-Bus address instead of the system bus, for example unix:path=/run/x/bus");
  app.add_flag("--check-config", options.check_config,
               "check the configuration, say everything that is wrong, and exit");
  app.add_flag("--print-config", options.print_config,
               "print the effective configuration and where it came from, and exit");
  app.add_flag("--list-probes", options.list_probes, "load and attach every program, print its state, and exit");
  app.add_option("--record", options.record,
                 "write everything that the state is made from to this new file, for --replay");
  app.add_option("--replay", options.replay,
                 "print the events of a recorded file (-: of standard input) as JSON Lines and exit; needs no "
                 "privileges, watches nothing");
  app.add_flag("--foreground", options.foreground, "write every event to standard output as well");
  app.add_option("--output", options.output, "form of --foreground's output: jsonl")->check(CLI::IsMember({"jsonl"}));
  app.add_option("--ready-fd", options.ready_fd,
                 "write READY and a newline to this descriptor once everything is in place")
      ->check(CLI::Range(3, 1 << 20));
  app.footer(
      "Exit status: 0 stopped as asked, 1 failed (one sentence says why), 2 wrong usage or configuration,\n"
      "3 this kernel or these privileges cannot run it.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  // It is told to others (ConfigFile, aactl runtime save), who stand elsewhere.
  if (!options.config_file.empty()) options.config_file = std::filesystem::absolute(options.config_file);
  return options;
}

Request request_of(const Options& options) {
  if (options.config_file.empty()) return {AA_SYSCONFDIR "/aa-ebpfd/config.toml", Missing::means_defaults, options.set};
  return {options.config_file, Missing::is_a_problem, options.set};
}

}  // namespace aa
