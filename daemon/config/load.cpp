// config/load.cpp: what a file says, held against the table. Everything wrong is collected; any of it refuses the
// whole.
#include "config/load.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "base/result.h"
#include "base/text.h"
#include "config/given.h"
#include "config/keys.h"
#include "config/read_file.h"

namespace aa {
namespace {

constexpr std::size_t kMostBytes = 1024 * 1024;

// Levenshtein distance: how many letters to add, drop or change. O(a × b), on names of a few letters.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, changed});
    }
  }
  return row.back();
}

// A name's first 64 bytes are enough to find what was meant.
std::string nearest(std::string_view given, const std::vector<std::string>& known) {
  const std::string_view start = given.substr(0, 64);
  return *std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    return distance(start, a) < distance(start, b);
  });
}

std::vector<std::string> sections() {
  std::vector<std::string> out;
  for (const Key& key : all_keys()) {
    if (out.empty() || out.back() != key.section) out.emplace_back(key.section);
  }
  return out;
}

const Key* key_named(std::string_view section, std::string_view name) {
  for (const Key& key : all_keys()) {
    if (key.section == section && key.name == name) return &key;
  }
  return nullptr;
}

// Keys of the section it stands in, when there is one: [watched] limitt means watched.limit, not log.level.
std::string unknown_key(const Given& given) {
  std::vector<std::string> known;
  std::string wanted = given.section + "." + given.name;
  for (const Key& key : all_keys()) {
    if (given.section.empty() || key.section == given.section) known.push_back(key.dotted());
  }
  if (!given.section.empty()) return "is not a key; the nearest is " + nearest(wanted, known);
  // Without a section, the bare name is all there is to go by.
  const auto& keys = all_keys();
  const auto best = std::min_element(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
    const std::string_view start = std::string_view(given.name).substr(0, 64);
    return distance(start, a.name) < distance(start, b.name);
  });
  return "stands outside any section; the nearest key is " + best->dotted();
}

// One file being judged.
class Judge {
 public:
  explicit Judge(std::string file) : file_(std::move(file)) {}

  void take(const Given& given) {
    const auto known = sections();
    const bool section_known = std::find(known.begin(), known.end(), given.section) != known.end();
    if (std::holds_alternative<std::monostate>(given.value)) {
      if (!section_known) blame(given, "is not a section; the nearest is " + nearest(given.section, known));
      return;
    }
    if (!section_known && !given.section.empty()) return;  // its opening was blamed already
    if (given.section.empty() && std::find(known.begin(), known.end(), given.name) != known.end()) {
      return blame(given, "is a section and holds keys; it cannot have a value of its own");
    }
    const Key* key = key_named(given.section, given.name);
    if (key == nullptr) return blame(given, unknown_key(given));
    take(*key, given);
  }

  Loaded verdict() {
    const bool both_good = places_.contains("watched.share") && places_.contains("watched.limit");
    if (problems_.empty() || both_good) contradictions();
    if (problems_.empty()) return std::move(config_);
    return std::move(problems_);
  }

 private:
  void take(const Key& key, const Given& given) {
    std::optional<std::string> refusal;
    if (const auto* number = std::get_if<std::int64_t>(&given.value)) {
      refusal = store(key, *number, config_);
    } else if (const auto* text = std::get_if<std::string>(&given.value)) {
      refusal = store(key, *text, config_);
    } else {
      const bool integer = std::holds_alternative<IntegerKey>(key.type);
      refusal = std::string("wants ") + (integer ? "an integer" : "a string") + " (" + key.allowed() + "), not " +
                std::get<Misfit>(given.value).kind;
    }
    if (refusal) return blame(given, *refusal);
    config_.origin[key.dotted()] = file_ + (given.line == 0 ? "" : ":" + std::to_string(given.line));
    places_[key.dotted()] = {given.line, given.column};
  }

  void contradictions() {
    const auto sentence = contradiction(config_);
    if (!sentence) return;
    const auto [line, column] = places_[places_.contains("watched.share") ? "watched.share" : "watched.limit"];
    problems_.push_back({file_, line, column, "watched.share", *sentence});
  }

  void blame(const Given& given, std::string sentence) {
    const std::string dot = given.section.empty() || given.name.empty() ? "" : ".";
    problems_.push_back({file_, given.line, given.column, given.section + dot + given.name, std::move(sentence)});
  }

  std::string file_;
  Config config_;
  std::map<std::string, std::pair<std::uint32_t, std::uint32_t>> places_;
  std::vector<Problem> problems_;
};

}  // namespace

std::optional<std::string> contradiction(const Config& config) {
  const auto& watched = config.watched;
  if (watched.share <= watched.limit || !config.origin.contains("watched.share")) return std::nullopt;
  return "is " + std::to_string(watched.share) + ", more than watched.limit, which is " +
         std::to_string(watched.limit) + "; give share at most that";
}

void lower_default_share(Config& config) {
  if (!config.origin.contains("watched.share"))
    config.watched.share = std::min(config.watched.share, config.watched.limit);
}

std::string Problem::text() const {
  std::string out = file;
  if (line != 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
  out += ": " + (key.empty() ? "" : key + " ") + sentence;
  return for_terminal(out);
}

Loaded parse_config(std::string_view text, const std::string& file) {
  Read read = file.ends_with(".json") ? read_json(text, file) : read_toml(text, file);
  if (!read.problems.empty()) return std::move(read.problems);
  // TOML's reader sorts by name; people read from top to bottom.
  std::stable_sort(read.given.begin(), read.given.end(), [](const Given& a, const Given& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  Judge judge(file);
  for (const Given& given : read.given) judge.take(given);
  return judge.verdict();
}

Loaded load_config(const std::string& path, Missing missing) {
  const auto text = read_file(path, kMostBytes);
  if (text) return parse_config(*text, path);
  const Error& error = text.error();
  if (error.errno_value == ENOENT && missing == Missing::means_defaults) return Config{};
  std::string sentence = error.doing;
  if (error.errno_value != 0) sentence += std::string(": ") + std::strerror(error.errno_value);
  return std::vector<Problem>{{path, 0, 0, "", std::move(sentence)}};
}

}  // namespace aa
