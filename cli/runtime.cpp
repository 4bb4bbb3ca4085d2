// cli/runtime.cpp: `aactl runtime`: what was said over the bus and is in no file: shown, dropped, saved.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "base/write_all.h"
#include "config/records.h"
#include "state/rule_clashes.h"
#include "state/rules_text.h"
#include "state/targets.h"
#include "verbs.h"

namespace aa {
namespace {

using nlohmann::json;

struct Runtime {
  std::vector<json> targets;
  std::vector<PathRule> rules;
};

Runtime runtime_of(Client& client) {
  Runtime out;
  for (json& target : client.targets())
    if (text_of(target, "layer") == "runtime" && text_of(target, "state") == "running")
      out.targets.push_back(std::move(target));
  json report = {{"rules", json::array()}};
  try {
    report = client.path_rules();
  } catch (const Failure& failure) {  // nobody sees files: there are targets all the same
    if (failure.status != kRefused) throw;
    complain(failure.what());
  }
  for (const json& row : report["rules"]) {
    if (text_of(row, "layer") != "runtime") continue;
    PathRule rule;
    rule.pattern = text_of(row, "pattern");
    rule.verdict = parse_verdict(text_of(row, "verdict")).value_or(Verdict::deny);
    if (const auto names = list_of(row, "ops"); !names.empty()) rule.ops = std::get<OpSet>(parse_ops(names));
    rule.severity = parse_severity(text_of(row, "severity"));
    rule.category = text_of(row, "category");
    rule.target = text_of(row, "target");
    out.rules.push_back(std::move(rule));
  }
  return out;
}

std::string folder_of_drop_ins(Client& client) {
  std::string main = client.config_file();
  if (main.empty()) main = "/etc/aa-ebpfd/config.toml";
  std::string folder = main.substr(0, main.rfind('/'));
  if (folder.ends_with("/conf.d")) return folder;
  return folder + "/conf.d";
}

std::string file_text(const Runtime& runtime) {
  std::string text = "# Saved by aactl runtime save.\n";
  for (const PathRule& rule : without_clashes(runtime.rules)) text += "\n[[paths.rules]]\n" + toml_text(rule);
  for (const json& target : runtime.targets) {
    const std::string unit = text_of(target, "unit");
    if (unit.empty() || text_of(target, "source") == "config") continue;  // that stands in a file already
    TargetWish wish;
    wish.by = unit.front() == '/' ? TargetWish::By::cgroup : TargetWish::By::unit;
    wish.what = unit;
    wish.name = text_of(target, "name");
    wish.tls = parse_tls_level(text_of(target, "tls")).value_or(TlsLevel::redacted);
    text += "\n[[targets]]\n" + toml_text(wish);
  }
  return text;
}

[[noreturn]] void cannot_write(const std::string& path) {
  throw Failure(kRefused, "cannot write " + path + ": " + std::strerror(errno));
}

void write_new(const std::string& folder, const std::string& path, const std::string& text) {
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) cannot_write(folder);
  const std::string fresh = path + ".new";  // a name that no configuration has
  ::unlink(fresh.c_str());
  const UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  const bool made = fd && write_all(fd.get(), text) &&
                    ::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0;
  if (made) return;
  const int wrong = errno;
  ::unlink(fresh.c_str());
  errno = wrong;
  cannot_write(path);
}

}  // namespace

int runtime(const Globals& globals) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const Runtime said = runtime_of(client);
  if (globals.json) {
    json rules = json::array();
    for (const PathRule& rule : said.rules) rules.push_back(rule_line(rule));
    out.write(json{{"targets", said.targets}, {"rules", std::move(rules)}}.dump() + '\n');
    return kDone;
  }
  if (!said.targets.empty()) out.write(targets_table(said.targets, out.style()));
  for (const PathRule& rule : said.rules) out.write(for_terminal(rule_line(rule)) + '\n');
  if (said.targets.empty() && said.rules.empty()) out.write("nothing beside the configuration\n");
  return kDone;
}

int runtime_drop(const Globals& globals) {
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const Runtime said = runtime_of(client);
  for (const json& target : said.targets) client.stop(text_of(target, "id"));
  if (!said.rules.empty()) client.set_path_rules({});
  const std::size_t targets = said.targets.size(), rules = said.rules.size();
  out.write(globals.json
                ? json{{"targets", targets}, {"rules", rules}}.dump() + '\n'
                : "dropped " + std::to_string(targets) + " target(s) and " + std::to_string(rules) + " rule(s)\n");
  return kDone;
}

// The file first, and in force; only then what it replaces is taken back: nothing is unwatched in between.
int runtime_save(const Globals& globals, const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos || name.front() == '.' || name.ends_with(".toml"))
    throw Failure(kUsage, "give a name for the file, without a folder and without .toml");
  Client client(globals.bus);
  Output out(STDOUT_FILENO, globals);
  const Runtime said = runtime_of(client);
  if (said.rules.empty() && said.targets.empty())
    throw Failure(kRefused, "there is nothing beside the configuration to save");
  const std::string folder = folder_of_drop_ins(client), path = folder + "/" + name + ".toml";
  write_new(folder, path, file_text(said));
  try {
    client.reload();
  } catch (const Failure&) {
    ::unlink(path.c_str());
    throw;
  }
  if (!said.rules.empty()) client.set_path_rules({});
  for (const json& target : said.targets)
    if (text_of(target, "unit").empty())
      complain(for_terminal(text_of(target, "name")) + " is not saved: a process's id means nothing after it ends");
  out.write(globals.json ? json{{"file", path}}.dump() + '\n' : "saved to " + path + '\n');
  return kDone;
}

}  // namespace aa
