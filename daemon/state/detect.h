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
  std::string known_as;   // a program of the table that `exe` is a copy of; "" when none is known
  Families upstream = 0;  // what comes through the pipe it reads, as far as execs have told
  bool memfd = false;
  bool deleted = false;
  bool stdin_inet = false;  // standard input is a network connection
};
Sighting sighting_of(const ProcessRef& process, const ExecBody& exec);
Sighting sighting_of(const std::vector<std::string>& argv);  // as if argv were typed

// What the table says of one exec. Bounded: milliseconds for the longest argv.
class Detection {
 public:
  Detection(const Sighting& sighting, const DetectTable& table);

  // The worst rule that matches, of equal ones the first in the table; nullptr: nothing to say.
  const Rule* worst() const { return worst_of(matching_); }
  // The same of the rules that did not match `before`, when less was known of the same exec.
  const Rule* worst_beyond(const Detection& before) const;
  // What its standard output may carry.
  Families output() const { return output_; }

 private:
  using Rules = std::vector<const Rule*>;
  static const Rule* worst_of(const Rules& rules);

  Rules matching_;  // in the table's order
  Families output_ = 0;
};

}  // namespace aa
