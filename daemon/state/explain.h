// state/explain.h: why a process is, or is not, observed.
//
// Comes in: the Monitor and a pid. Goes out: the answer in values and sentences, for people. Pure: what the Monitor
// does not know (whether a stranger lives) the caller must.
#pragma once

#include <string>
#include <vector>

#include "state/monitor.h"

namespace aa {

struct FamilyState {
  std::string family;  // "exec"
  std::string state;   // "observed" "not-observed"
  std::string reason;  // a sentence
};

// A TLS implementation that a process has mapped.
struct TlsStack {
  std::string file;
  std::string state;   // as of probes, or "not-covered"
  std::string reason;  // a sentence, "" when there is nothing to say
};

struct Explanation {
  std::uint32_t pid = 0;
  std::string id;  // process id, "" of a stranger
  std::string exe;
  bool observed = false;
  std::string reason;  // a sentence
  std::string target;  // id, "" none
  std::string target_name;
  std::vector<FamilyState> families;
  std::vector<std::string> limits;  // a sentence for each bound that was hit and matters to it
};

Explanation explain(const Monitor& monitor, std::uint32_t pid);

}  // namespace aa
