#include "machine.h"

#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string_view>

namespace aa {
namespace {

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
          good ? "" : "not needed: no program here is one of the kind"};
}

struct Option {
  std::string_view name;
  bool needed;  // else only some hooks are
};
constexpr Option kOptions[] = {{"BPF_SYSCALL", true}, {"BPF_EVENTS", true}, {"DEBUG_INFO_BTF", true},
                               {"TRACEPOINTS", true}, {"CGROUPS", true},    {"FTRACE_SYSCALLS", false},
                               {"KPROBES", false},    {"UPROBES", false},   {"FUNCTION_TRACER", false},
                               {"BPF_LSM", false}};

// The lines of the running kernel's configuration; empty: it is nowhere.
std::string kernel_configuration() {
  utsname name{};
  ::uname(&name);
  std::string text;
  for (const std::string& path : {std::string("/proc/config.gz"), std::string("/boot/config-") + name.release}) {
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(::gzopen(path.c_str(), "re"), &::gzclose);  // plain ones too
    char part[16 * 1024];
    for (int length; file && (length = ::gzread(file.get(), part, sizeof(part))) > 0;)
      text.append(part, static_cast<std::size_t>(length));
    if (!text.empty()) return "\n" + text;
  }
  return text;
}

Finding configuration() {
  const std::string text = kernel_configuration();
  if (text.empty()) return {"configuration", true, "unknown: no /proc/config.gz, nothing in /boot", ""};
  std::string needed, others;
  for (const Option& option : kOptions) {
    if (text.find("\nCONFIG_" + std::string(option.name) + "=y\n") != std::string::npos) continue;
    std::string& missing = option.needed ? needed : others;
    missing += (missing.empty() ? "" : " ") + std::string(option.name);
  }
  std::string found = needed.empty() ? "what is needed is there" : "without " + needed;
  if (!others.empty()) found += "; of what some hooks need, without " + others;
  return {"configuration", needed.empty(), found, needed.empty() ? "" : "a kernel with these options, as Debian's are"};
}

}  // namespace

std::vector<Finding> machine_findings() {
  return {kernel(), configuration(), type_information(), privileges(), lockdown(), security_modules()};
}

std::string advice_for_probe(int error_number) {
  switch (error_number) {
    case EPERM:
    case EACCES:
      return "not allowed: see privileges and lockdown above; some kernels refuse this kind of program to everybody";
    case ENOENT:
    case ESRCH:
    case EOPNOTSUPP:
    case 524:  // the kernel's own ENOTSUPP
      return "this kernel has no such hook: see configuration above; Debian's kernels from 5.10 on have it";
    case ENOMEM:
    case E2BIG:
    case ENOSPC:
      return "a limit was hit: free memory, raise LimitMEMLOCK, or make rings and tables smaller in the configuration";
    default:
      return "the kernel's reason is in this line; docs/kernel-facts.md says what this hook needs";
  }
}

}  // namespace aa
