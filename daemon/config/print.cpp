// config/print.cpp: the configuration in force, as a file that would bring it about.
#include "base/text.h"
#include "config/keys.h"
#include "config/load.h"
#include "config/records.h"
#include "state/rules_text.h"

namespace aa {
namespace {

std::string origin_of(const Config& config, const std::string& dotted) {
  const auto origin = config.origin.find(dotted);
  return origin == config.origin.end() ? "default" : for_terminal(origin->second);
}

template <class T>
std::string print_records(const Config& config, const std::string& dotted, const std::vector<T>& records) {
  std::string out;
  for (std::size_t at = 0; at < records.size(); ++at)
    out += "\n[[" + dotted + "]]  # " + origin_of(config, dotted + "[" + std::to_string(at) + "]") + "\n" +
           toml_text(records[at]);
  return out;
}

// A line a rule, as it stands in its file: a comment, for paths.include brings it about.
std::string print_included(const Config& config) {
  if (config.included.empty()) return {};
  std::string out = "\n# Rules of the files that paths.include names, and of those that these include:\n";
  const std::vector<PathRule>& rules = config.paths.rules;
  for (std::size_t at = 0; at < config.included.size(); ++at) {
    const Config::RulePlace& place = config.included[at];
    const PathRule& rule = rules[rules.size() - config.included.size() + at];
    out += "# " + for_terminal(*place.file + ":" + std::to_string(place.line) + ": " + rule_line(rule)) + "\n";
  }
  return out;
}

}  // namespace

std::string print_config(const Config& config) {
  std::string out;
  std::string_view section;
  for (const Key& key : all_keys()) {
    if (key.section != section) {
      if (!section.empty()) out += "\n";
      section = key.section;
      out.append("[").append(section).append("]\n");
    }
    out.append("# ").append(key.text).append(" Allowed: ").append(key.allowed()).append(".\n");
    out.append(key.name).append(" = ").append(toml_text(value_of(key, config)));
    out.append("  # ").append(origin_of(config, key.dotted())).append("\n");
  }
  return out + print_records(config, "paths.rules", config.paths.own) + print_included(config) +
         print_records(config, "detect.table", config.detect.own) + print_records(config, "targets", config.targets);
}

}  // namespace aa
