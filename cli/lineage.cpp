// cli/lineage.cpp: `aactl tree` and `aactl ancestry`.
#include <unistd.h>

#include <charconv>

#include "base/text.h"
#include "tree_text.h"
#include "verbs.h"

namespace aa {
namespace {

using nlohmann::json;

void show(const Globals& globals, Output& out, const std::vector<json>& processes) {
  if (!globals.json) {
    out.write(tree_text(processes, out.style()));
    return;
  }
  for (const json& process : processes) out.write(process.dump() + '\n');
}

int all_trees(const Globals& globals, Client& client, Output& out) {
  bool any = false;
  for (const json& target : client.targets()) {
    if (text_of(target, "state") != "running") continue;
    const std::string title = for_terminal(text_of(target, "name") + ' ' + text_of(target, "id"));
    if (!globals.json) out.write((any ? "\n" : "") + paint(out.style(), Ink::dim, title) + '\n');
    show(globals, out, client.tree_of_target(text_of(target, "id")));
    any = true;
  }
  if (!any && !globals.json) out.write("nothing is watched; start with: aactl run -- COMMAND, or aactl watch PID\n");
  return kDone;
}

}  // namespace

int tree(const Globals& globals, const std::string& pid_or_target) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  if (pid_or_target.empty()) return all_trees(globals, client, out);
  std::uint32_t pid = 0;
  const char* end = pid_or_target.data() + pid_or_target.size();
  const auto [stop, error] = std::from_chars(pid_or_target.data(), end, pid);
  const bool is_pid = error == std::errc() && stop == end;
  show(globals, out, is_pid ? client.tree_of_process(pid) : client.tree_of_target(pid_or_target));
  return kDone;
}

int ancestry(const Globals& globals, std::uint32_t pid) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const std::vector<json> processes = client.ancestry(pid);
  if (!globals.json) {
    out.write(ancestry_text(processes, out.style()));
    return kDone;
  }
  for (const json& process : processes) out.write(process.dump() + '\n');
  return kDone;
}

}  // namespace aa
