// cli/status.cpp: `aactl status`: is the observer well, and what did it miss.
#include <unistd.h>

#include "base/text.h"
#include "verbs.h"

namespace aa {
namespace {

using nlohmann::json;

std::string probes_text(const json& probes, const Style& style) {
  std::string text;
  for (const json& probe : probes) {
    const std::string state = text_of(probe, "state");
    const bool well = state == "attached" || state == "standby";
    std::string line =
        "  " + pad(for_terminal(text_of(probe, "family")), 8) + pad(for_terminal(text_of(probe, "program")), 18);
    line += paint(style, well ? Ink::green : Ink::red, for_terminal(state));
    if (const std::string reason = text_of(probe, "reason"); !reason.empty()) line += "  " + for_terminal(reason);
    text += line + '\n';
  }
  return text.empty() ? "  none\n" : text;
}

std::string counters_text(const json& counters) {
  std::string text;
  for (const auto& [name, value] : counters.items()) text += "  " + pad(for_terminal(name), 32) + value.dump() + '\n';
  return text.empty() ? "  none\n" : text;
}

}  // namespace

int status(const Globals& globals) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  json report = client.status();
  const std::vector<json> list = client.targets();
  if (globals.json) {
    report["targets"] = list;
    out.write(report.dump() + '\n');
    return kDone;
  }
  const std::string file = text_of(report, "config_file");
  const Style& style = out.style();
  const auto heading = [&](const char* text) { return paint(style, Ink::bold, text) + '\n'; };
  out.write("aa-ebpfd " + for_terminal(text_of(report, "version")) +
            ", configuration: " + (file.empty() ? "built-in defaults" : for_terminal(file)) + "\n\n" +  //
            heading("Probes") + probes_text(report["probes"], style) + '\n' +                           //
            heading("Counters") + counters_text(report["counters"]) + '\n' +                            //
            heading("Targets") + targets_table(list, style));
  return kDone;
}

}  // namespace aa
