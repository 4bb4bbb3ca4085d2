#include "probe/preemption.h"

#include <sys/utsname.h>

#include <cstdlib>

#include "base/file_text.h"

namespace aa {

bool preempts(const std::string& debugfs, const std::string& version, const std::string& release) {
  const auto has = [](const std::string& text, const char* word) { return text.find(word) != std::string::npos; };
  if (has(debugfs, "(")) return has(debugfs, "(full)") || has(debugfs, "(lazy)");
  if (has(version, "PREEMPT_RT")) return true;
  // Of the kernels that can be told at boot, those before 7.0 mostly are not: distributions ship them "voluntary".
  if (has(version, "PREEMPT_DYNAMIC")) return std::strtol(release.c_str(), nullptr, 10) >= 7;
  return has(version, "PREEMPT");
}

bool kernel_preempts_programs() {
  static const bool does = [] {
    utsname name{};
    ::uname(&name);
    return preempts(file_text("/sys/kernel/debug/sched/preempt"), name.version, name.release);
  }();
  return does;
}

}  // namespace aa
