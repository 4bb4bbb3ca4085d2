#include "state/discovery.h"

#include <algorithm>
#include <array>
#include <climits>
#include <set>

#include "base/text.h"
#include "state/detect_table.h"
#include "state/path_rules.h"

namespace aa {
namespace {

// Programs that run what their first argument that is no option names.
constexpr std::array<std::string_view, 28> kRunners = {
    "node", "nodejs", "bun",  "deno", "python", "pypy", "sh",  "bash", "dash", "zsh", "env", "perl", "ruby", "php",
    "npx",  "bunx",   "pnpx", "uvx",  "pipx",   "sudo", "npm", "pnpm", "yarn", "uv",  "tsx", "exec", "nice", "nohup"};
constexpr std::array<std::string_view, 8> kVerbs = {"run", "exec", "dlx", "x", "tool", "start", "serve", "--"};

// "@anthropic-ai/claude-code@latest" and "aider.py" are asked for by these names too.
bool names(std::string_view word, std::string_view agent) {
  std::string_view last = last_component(word);
  if (const std::size_t at = last.find('@'); at != std::string_view::npos && at > 0) last = last.substr(0, at);
  if (last == agent) return true;
  for (const std::string_view tail : {".js", ".mjs", ".cjs", ".py", ".sh"}) {
    if (last.size() == agent.size() + tail.size() && last.starts_with(agent) && last.ends_with(tail)) return true;
  }
  return false;
}

bool is_runner(std::string_view path) {
  const std::string_view last = last_component(path);
  const std::size_t end = last.find_last_not_of("0123456789.");
  const std::string_view bare = last.substr(0, end == std::string_view::npos ? 0 : end + 1);
  return std::find(kRunners.begin(), kRunners.end(), bare) != kRunners.end();
}

// What the program was told to run: scripts and modules among its first arguments.
std::vector<std::string_view> run_by(const ExecBody& exec) {
  std::vector<std::string_view> out;
  if (exec.argv.empty() || !is_runner(exec.argv[0])) return out;
  for (std::size_t i = 1; i < exec.argv.size() && i <= 3; ++i) {
    const std::string_view word = exec.argv[i];
    if (word == "-m") continue;
    if (word.starts_with('-') || std::find(kVerbs.begin(), kVerbs.end(), word) != kVerbs.end()) continue;
    out.push_back(word);
    if (!is_runner(word)) break;
  }
  return out;
}

// Whether a path, as somebody in `cwd` means it, is the agent's. Asked at each exec: a path that needs nothing is not
// copied.
bool is_at(std::string_view agent, std::string_view path, const std::string& cwd) {
  if (path.empty() || path.front() == '/') return matches_glob(agent, path);
  return matches_glob(agent, lexically_normal(cwd + "/" + std::string(path)));
}

std::string trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return std::string(text);
}

std::optional<std::string> wrong_agent(const std::string& entry) {
  const std::string quoted = "\"" + entry.substr(0, 64) + "\"";
  if (entry.empty()) return "has an empty name; write names with one comma between them";
  if (entry.find('/') != std::string::npos && entry.front() != '/')
    return "has " + quoted + ", which is neither a name nor an absolute path";
  const std::string_view last = last_component(entry);
  if (last.empty() || last.size() > NAME_MAX ||
      last.find_first_of(std::string_view("*?[ \0", 5)) != std::string_view::npos)
    return "has " + quoted + ", whose last part is no plain name; patterns may stand in folders only";
  if (entry.front() == '/' && lexically_normal(entry) != entry)
    return "has " + quoted + ", which no program's path is like: write " + lexically_normal(entry).substr(0, 64);
  return std::nullopt;
}

}  // namespace

std::variant<std::vector<std::string>, std::string> parse_agents(std::string_view list) {
  std::vector<std::string> out;
  if (trimmed(list).empty()) return out;
  const auto commas = static_cast<std::size_t>(std::count(list.begin(), list.end(), ','));
  if (commas >= kAgentsMax)
    return "has " + std::to_string(1 + commas) + " names; at most " + std::to_string(kAgentsMax) + " are looked for";
  std::set<std::string> wrong;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    std::string entry = trimmed(list.substr(begin, end - begin));
    if (auto sentence = wrong_agent(entry))
      wrong.insert(*sentence);
    else if (std::find(out.begin(), out.end(), entry) != out.end())
      wrong.insert("has \"" + entry + "\" twice");
    else
      out.push_back(std::move(entry));
    begin = end + 1;
  }
  if (wrong.empty()) return out;
  std::string all;
  for (const std::string& one : wrong) all += (all.empty() ? "" : "; ") + one;
  return all;
}

std::optional<std::string> agent_of(const std::vector<std::string>& agents, const ProcessRef& process,
                                    const ExecBody& exec) {
  std::vector<std::string_view> ran = run_by(exec);
  ran.insert(ran.begin(), {exec.filename, process.exe});
  for (const std::string& agent : agents) {
    const bool is_path = agent.find('/') != std::string::npos;
    const auto is_it = [&](std::string_view word) {
      return is_path ? is_at(agent, word, exec.cwd) : names(word, agent);
    };
    if (std::any_of(ran.begin(), ran.end(), is_it)) return std::string(last_component(agent));
  }
  return std::nullopt;
}

}  // namespace aa
