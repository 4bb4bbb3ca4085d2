// probe/libbpf_log.h: libbpf's own words, kept for error texts: the verifier's last lines are what a developer needs.
#pragma once

#include <string>

namespace aa {

class LibbpfLog {
 public:
  static void capture();  // from now on; nothing of libbpf goes to standard error
  static void clear();
  static std::string last_line();
};

}  // namespace aa
