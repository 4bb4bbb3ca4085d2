// cli/detect.cpp: `aactl detect`: what the detector would say of a command line, which is not run.
#include <unistd.h>

#include "base/text.h"
#include "verbs.h"

namespace aa {

int detect(const Globals& globals, const std::vector<std::string>& command) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const nlohmann::json said = client.detect(command);
  if (globals.json) {
    out.write(said.dump() + '\n');
    return kDone;
  }
  const std::string severity = text_of(said, "severity");
  if (severity.empty()) {
    out.write("nothing to say\n");
    return kDone;
  }
  const Ink ink = severity == "critical" ? Ink::red : severity == "warning" ? Ink::yellow : Ink::plain;
  out.write(paint(out.style(), ink, for_terminal(severity)) + "  " + for_terminal(text_of(said, "class")) + "  (rule " +
            for_terminal(text_of(said, "rule")) + ")\n");
  return kDone;
}

}  // namespace aa
