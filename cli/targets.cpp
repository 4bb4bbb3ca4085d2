// cli/targets.cpp: `aactl watch`, `unwatch`, `targets`.
#include <unistd.h>

#include <cstdio>

#include "base/text.h"
#include "verbs.h"

namespace aa {

using nlohmann::json;

namespace {

bool is_unit(const json& target) {
  return target.contains("unit");
}

const char* adopted_word(const json& target, std::uint64_t count) {
  if (is_unit(target)) return count == 1 ? " process" : " processes";
  return count == 1 ? " descendant" : " descendants";
}

void tell_watched(Client& client, const Globals& globals, Output& out, const std::string& id) {
  const json target = client.target(id);
  const std::uint64_t adopted = number_of(target, "adopted");
  if (globals.json) {
    out.write(json{{"target", id}, {"name", text_of(target, "name")}, {"adopted", adopted}}.dump() + '\n');
  } else {
    out.write("watching " + for_terminal(text_of(target, "name")) + " as target " + for_terminal(id) + ": " +
              std::to_string(adopted) + adopted_word(target, adopted) + " adopted\n");
  }
}

// Does the same for each of several things; one refusal does not keep the others from being done.
template <class Things, class Act>
int for_each(const Things& things, Act act) {
  int status = kDone;
  for (const auto& thing : things) {
    try {
      act(thing);
    } catch (const Failure& failure) {
      if (failure.status == kUnreachable) throw;
      complain(failure.what());
      status = failure.status;
    }
  }
  return status;
}

}  // namespace

int watch(const Globals& globals, const WatchOptions& options) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  if (!options.unit.empty()) {
    tell_watched(client, globals, out, client.start_unit(options.unit, options.options));
    return kDone;
  }
  return for_each(options.pids,
                  [&](std::uint32_t pid) { tell_watched(client, globals, out, client.start(pid, options.options)); });
}

int unwatch(const Globals& globals, const std::vector<std::string>& targets) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  return for_each(targets, [&](const std::string& target) {
    client.stop(target);
    out.write(globals.json ? json{{"released", to_utf8(target)}}.dump() + '\n'
                           : "no longer watching " + for_terminal(target) + '\n');
  });
}

std::string targets_table(const std::vector<json>& targets, const Style& style) {
  if (targets.empty()) return "nothing is watched; start with: aactl run -- COMMAND, or aactl watch PID\n";
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "ROOT", "STATE", "LIVE", "EVENTS", "LOST", "SOURCE", "TARGET"}};
  for (const json& target : targets) {
    const std::string root =
        is_unit(target) ? for_terminal(text_of(target, "unit")) : std::to_string(number_of(target, "root_pid"));
    rows.push_back({for_terminal(text_of(target, "name")), root, for_terminal(text_of(target, "state")),
                    std::to_string(number_of(target, "live")), std::to_string(number_of(target, "events")),
                    std::to_string(number_of(target, "lost")), for_terminal(text_of(target, "source")),
                    for_terminal(text_of(target, "id"))});
  }
  return table(rows, style);
}

int targets(const Globals& globals) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const std::vector<json> list = client.targets();
  if (!globals.json) {
    out.write(targets_table(list, out.style()));
    return kDone;
  }
  for (const json& target : list) out.write(target.dump() + '\n');
  return kDone;
}

}  // namespace aa
