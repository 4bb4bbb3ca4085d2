// config/print.cpp: the configuration in force, as a file that would bring it about.
#include "base/text.h"
#include "config/keys.h"
#include "config/load.h"

namespace aa {

std::string print_config(const Config& config) {
  std::string out;
  std::string_view section;
  for (const Key& key : all_keys()) {
    if (key.section != section) {
      if (!section.empty()) out += "\n";
      section = key.section;
      out.append("[").append(section).append("]\n");
    }
    const auto origin = config.origin.find(key.dotted());
    out.append("# ").append(key.text).append(" Allowed: ").append(key.allowed()).append(".\n");
    out.append(key.name).append(" = ").append(toml_text(value_of(key, config)));
    out.append("  # ").append(origin == config.origin.end() ? "default" : for_terminal(origin->second)).append("\n");
  }
  return out;
}

}  // namespace aa
