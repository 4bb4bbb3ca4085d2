// state/discovery.h: is this exec one of the listed agents?
//
// Comes in: the list (names, and paths with * and ?) and an exec. Goes out: the agent's name. The kernel looks at the
// hash of a name only; here is the full rule. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "event/event.h"

namespace aa {

inline constexpr std::size_t kAgentsMax = 256;
inline constexpr std::size_t kLookedForMax = 1024;  // names and users together, of agents and of [[targets]]
inline constexpr std::string_view kShippedAgents =
    "claude, codex, copilot, gemini, cursor-agent, windsurf, aider, goose, opencode, amp, crush, qwen, ollama";

// "claude, /opt/*/bin/agent" → its entries; or what is wrong with it: an empty or odd entry, more than kAgentsMax, a
// path whose last component is a pattern (the kernel could not look for it), one with empty, `.` or `..` parts (no path
// of a program has them).
std::variant<std::vector<std::string>, std::string> parse_agents(std::string_view list);

// The name of the agent that was started: the program itself, the script an interpreter runs, `python -m NAME`,
// `npx NAME`. An entry with "/" is about the path. nullopt: a listed word was an argument only.
std::optional<std::string> agent_of(const std::vector<std::string>& agents, const ProcessRef& process,
                                    const ExecBody& exec);

}  // namespace aa
