// cli/reload.cpp: `aactl reload`: the configuration read again, or every reason why it is not.
#include <unistd.h>

#include "verbs.h"

namespace aa {

int reload(const Globals& globals) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  client.reload();
  const std::vector<std::string> awaiting = client.awaiting_restart();
  if (globals.json) {
    out.write(nlohmann::json{{"awaiting_restart", awaiting}}.dump() + '\n');
    return kDone;
  }
  std::string keys;
  for (const std::string& key : awaiting) keys += (keys.empty() ? "" : ", ") + key;
  out.write("the configuration is in force" + (keys.empty() ? "" : "; takes effect at restart: " + keys) + '\n');
  return kDone;
}

}  // namespace aa
