// state/detect.h: is this exec a shell, or worse?
//
// Comes in: one exec as it was seen, or an argv to try. Goes out: the worst that the table's rules say of it. Pure, and
// the same for the daemon and for TestCommand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "state/detect_table.h"

namespace aa {

// One exec, as the rules look at it.
struct Sighting {
  std::vector<std::string> argv;
  std::string filename;  // as requested
  std::string exe;       // what ran
  std::string cwd;
  std::string known_as;  // a program of the table that `exe` is a copy of; "" when none is known
  bool memfd = false;
  bool deleted = false;
  bool stdin_inet = false;  // standard input is a network connection
};
Sighting sighting_of(const ProcessRef& process, const ExecBody& exec);
Sighting sighting_of(const std::vector<std::string>& argv);  // as if argv were typed

// The worst rule that matches, of equal ones the first in the table; nullptr: nothing to say. Bounded: milliseconds for
// the longest argv.
const Rule* detect(const Sighting& sighting, const DetectTable& table);

}  // namespace aa
