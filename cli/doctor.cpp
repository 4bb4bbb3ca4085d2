// cli/doctor.cpp: `aactl doctor`: what this machine allows, tried rather than guessed, and what to change.
//
// The programs are loaded and attached once, by `aa-ebpfd --list-probes`, which needs root and leaves nothing behind.
#include <fcntl.h>
#include <spawn.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "verbs.h"

extern char** environ;

namespace aa {
namespace {

using nlohmann::json;

struct Finding {
  std::string about;
  bool good = true;
  std::string found;
  std::string advice;  // "" when there is nothing to change
};

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Finding kernel() {
  utsname name{};
  ::uname(&name);
  int major = 0, minor = 0;
  std::sscanf(name.release, "%d.%d", &major, &minor);
  const bool good = major > 5 || (major == 5 && minor >= 10);
  return {"kernel", good, std::string(name.release), good ? "" : "5.10 or later is needed"};
}

Finding type_information() {
  const bool good = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  return {"BTF", good, good ? "/sys/kernel/btf/vmlinux is there" : "/sys/kernel/btf/vmlinux cannot be read",
          good ? "" : "a kernel with CONFIG_DEBUG_INFO_BTF=y, as Debian's are; in a container, mount /sys"};
}

Finding privileges() {
  std::ifstream status("/proc/self/status");
  std::uint64_t effective = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("CapEff:", 0) == 0) effective = std::strtoull(line.c_str() + 7, nullptr, 16);
  }
  constexpr int kSysPtrace = 19, kSysAdmin = 21, kPerfmon = 38, kBpf = 39;
  const auto has = [&](int capability) { return (effective >> capability & 1) != 0; };
  const bool good = has(kSysPtrace) && (has(kSysAdmin) || (has(kPerfmon) && has(kBpf)));
  return {"privileges", good, good ? "enough to load programs" : "programs cannot be loaded with these",
          good ? "" : "run it with sudo; in a container, with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE"};
}

Finding lockdown() {
  const std::string line = first_line("/sys/kernel/security/lockdown");
  const bool good = line.find("[confidentiality]") == std::string::npos;
  return {"lockdown", good, line.empty() ? "not in this kernel, or securityfs is not mounted" : line,
          good ? "" : "boot without lockdown=confidentiality: it forbids programs to read kernel memory"};
}

Finding security_modules() {
  const std::string line = first_line("/sys/kernel/security/lsm");
  const bool good = line.find("bpf") != std::string::npos;
  return {"BPF LSM", true, line.empty() ? "unknown: securityfs is not mounted" : line,
          good ? "" : "not needed by fork, exec and exit; for LSM hooks add bpf to the kernel's lsm= list"};
}

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

// A line of --list-probes: family, program, hook, state, and perhaps errno and reason, between tabs.
void add_probes(std::vector<Finding>& findings) {
  std::string out;
  const int status = try_probes(out);
  if (status < 0) {
    findings.push_back({"programs", false, "aa-ebpfd was not found beside aactl nor in PATH", "install aa-ebpfd"});
    return;
  }
  std::istringstream lines(out);
  std::string last;
  bool any = false;
  for (std::string line; std::getline(lines, line); last = line) {
    std::vector<std::string> parts;
    std::istringstream row(line);
    for (std::string part; std::getline(row, part, '\t');) parts.push_back(part);
    if (parts.size() < 4) continue;
    any = true;
    const bool good = parts[3] == "attached" || parts[3] == "standby";
    std::string found = parts[3] + " at " + parts[2];
    for (std::size_t i = 4; i < parts.size(); ++i) found += ", " + parts[i];
    findings.push_back({parts[0] + " " + parts[1], good, found,
                        good ? "" : "the others run on; see docs/kernel-facts.md for what this hook needs"});
  }
  if (status != 0 || !any)
    findings.push_back({"programs", false, last.empty() ? "could not be tried" : last, "see above"});
}

}  // namespace

int doctor(const Globals& globals) {
  std::vector<Finding> findings = {kernel(), type_information(), privileges(), lockdown(), security_modules()};
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
            pad(for_terminal(finding.about), 22) + for_terminal(finding.found) + '\n';
    if (!finding.advice.empty()) text += "      " + pad("", 22) + "→ " + finding.advice + '\n';
  }
  out.write(text);
  return well ? kDone : kRefused;
}

}  // namespace aa
