// cli/explain.cpp: `aactl explain PID`: why a process is, or is not, seen; `aactl stats`: the numbers alone.
#include <unistd.h>

#include "base/text.h"
#include "verbs.h"

namespace aa {

using nlohmann::json;

int explain(const Globals& globals, std::uint32_t pid) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const json said = client.explain(pid);
  if (globals.json) {
    out.write(said.dump() + '\n');
    return kDone;
  }
  const bool observed = member_of(said, "observed") == json(true);
  const std::string exe = text_of(said, "exe");
  std::string text = std::to_string(pid) + (exe.empty() ? "" : " " + for_terminal(exe)) + ": " +
                     paint(out.style(), observed ? Ink::green : Ink::yellow, observed ? "observed" : "not observed") +
                     "; " + for_terminal(text_of(said, "reason")) + '\n';
  for (const json& family : member_of(said, "families")) {
    text += "  " + pad(for_terminal(text_of(family, "family")), 8) + pad(for_terminal(text_of(family, "state")), 14) +
            for_terminal(text_of(family, "reason")) + '\n';
  }
  for (const json& stack : member_of(said, "tls")) {
    const std::string reason = text_of(stack, "reason");
    text += "  tls     " + pad(for_terminal(text_of(stack, "state")), 14) + for_terminal(text_of(stack, "file")) +
            (reason.empty() ? "" : ": " + for_terminal(reason)) + '\n';
  }
  for (const std::string& limit : list_of(said, "limits")) text += "  limit   " + for_terminal(limit) + '\n';
  out.write(text);
  return kDone;
}

int stats(const Globals& globals) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const json counters = client.status()["counters"];
  const std::vector<json> targets = client.targets();
  if (globals.json) {
    out.write(json{{"counters", counters}, {"targets", targets}}.dump() + '\n');
    return kDone;
  }
  std::vector<std::vector<std::string>> rows = {
      {"TARGET", "LIVE", "PROCESSES", "ATTEMPTS", "EVENTS", "LOST", "REFUSED"}};
  for (const json& target : targets) {
    std::vector<std::string> row = {for_terminal(text_of(target, "name"))};
    for (const char* number : {"live", "processes", "attempts", "events", "lost", "refused"})
      row.push_back(std::to_string(number_of(target, number)));
    rows.push_back(std::move(row));
  }
  std::string text;
  for (const auto& [name, value] : counters.items()) text += pad(for_terminal(name), 32) + value.dump() + '\n';
  if (rows.size() > 1) text += '\n' + table(rows, out.style());
  out.write(text);
  return kDone;
}

}  // namespace aa
