// cli/doctor.cpp: `aactl doctor`: what this machine allows, tried rather than guessed, and what to change.
//
// The programs are loaded and attached once, by `aa-ebpfd --list-probes`, which needs root and leaves nothing behind.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <sstream>
#include <vector>

#include "base/text.h"
#include "machine.h"
#include "verbs.h"

extern char** environ;

namespace aa {
namespace {

constexpr std::size_t kAbout = 26;  // columns for what a finding is about

using nlohmann::json;

Finding reachable(const Globals& globals) {
  try {
    Client client(globals.bus);
    return {"daemon", true, "answers, version " + text_of(client.status(), "version"), ""};
  } catch (const Failure& failure) {
    return {"daemon", false, failure.what(), "systemctl start aa-ebpfd, or ./dev run -- COMMAND"};
  }
}

// Beside this program as built or installed, else in PATH.
std::string daemon_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const auto& path : {self / "../daemon/aa-ebpfd", self / "../sbin/aa-ebpfd"}) {
    if (::access(path.c_str(), X_OK) == 0) return std::filesystem::weakly_canonical(path, error);
  }
  return "aa-ebpfd";
}

// Standard output and error of `aa-ebpfd --list-probes`, and its exit status; −1: it could not be run.
int try_probes(std::string& out) {
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return -1;
  const UniqueFd read_end(pipe_fds[0]);
  UniqueFd write_end(pipe_fds[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
  std::string program = daemon_program(), option = "--list-probes";
  char* const argv[] = {program.data(), option.data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, program.c_str(), &actions, nullptr, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  write_end.reset();
  if (error != 0) return -1;
  std::array<char, 4096> buffer;
  for (ssize_t length; (length = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;)
    out.append(buffer.data(), static_cast<std::size_t>(length));
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

struct Tried {
  std::string family, program, hook, state;
  std::string rest;  // errno and reason, as said
  int error_number = 0;

  bool works() const { return state == "attached" || state == "standby"; }
};

// A line of --list-probes: family, program, hook, state, and perhaps errno and reason, between tabs.
std::optional<Tried> tried_in(const std::string& line) {
  std::vector<std::string> parts;
  std::istringstream row(line);
  for (std::string part; std::getline(row, part, '\t');) parts.push_back(part);
  if (parts.size() < 4) return std::nullopt;
  Tried one{parts[0], parts[1], parts[2], parts[3], "", 0};
  for (std::size_t i = 4; i < parts.size(); ++i) {
    one.rest += ", " + parts[i];
    if (parts[i].starts_with("errno ")) one.error_number = std::atoi(parts[i].c_str() + 6);
  }
  return one;
}

// What one family can do here, and each of its programs.
void add_family(std::vector<Finding>& findings, const std::vector<Tried>& all, const std::string& family) {
  std::size_t programs = 0, working = 0;
  for (const Tried& one : all) {
    if (one.family != family) continue;
    ++programs;
    working += one.works() ? 1 : 0;
  }
  const std::string count = std::to_string(working) + " of " + std::to_string(programs) + " programs work";
  findings.push_back({"family " + family, working == programs, working == 0 ? "nothing of it is seen" : count,
                      working == programs ? "" : "what the others tell is seen; see each program below"});
  for (const Tried& one : all) {
    if (one.family != family) continue;
    findings.push_back({family + " " + one.program, one.works(), one.state + " at " + one.hook + one.rest,
                        one.works() ? "" : advice_for_probe(one.error_number)});
  }
}

void add_probes(std::vector<Finding>& findings) {
  std::string out;
  const int status = try_probes(out);
  if (status < 0) {
    findings.push_back({"programs", false, "aa-ebpfd was not found beside aactl nor in PATH", "install aa-ebpfd"});
    return;
  }
  std::istringstream lines(out);
  std::vector<Tried> all;
  std::vector<std::string> families;
  std::string last;
  for (std::string line; std::getline(lines, line); last = line) {
    const auto one = tried_in(line);
    if (!one) continue;
    all.push_back(*one);
    if (std::find(families.begin(), families.end(), one->family) == families.end()) families.push_back(one->family);
  }
  for (const std::string& family : families) add_family(findings, all, family);
  if (status != 0 || all.empty())
    findings.push_back({"programs", false, last.empty() ? "could not be tried" : last, "see above"});
}

}  // namespace

int doctor(const Globals& globals) {
  std::vector<Finding> findings = machine_findings();
  add_probes(findings);
  findings.push_back(reachable(globals));
  Output out(STDOUT_FILENO, globals);
  bool well = true;
  std::string text;
  for (const Finding& finding : findings) {
    well = well && finding.good;
    if (globals.json) {
      text += json{{"about", to_utf8(finding.about)},
                   {"good", finding.good},
                   {"found", to_utf8(finding.found)},
                   {"advice", finding.advice}}
                  .dump() +
              '\n';
      continue;
    }
    text += paint(out.style(), finding.good ? Ink::green : Ink::red, finding.good ? "ok    " : "wrong ") +
            pad(for_terminal(finding.about) + " ", kAbout) + for_terminal(finding.found) + '\n';
    if (!finding.advice.empty()) text += "      " + pad("", kAbout) + "→ " + finding.advice + '\n';
  }
  out.write(text);
  return well ? kDone : kRefused;
}

}  // namespace aa
