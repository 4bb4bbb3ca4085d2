// control/convert.h: what the Monitor knows, in the shapes the bus carries.
//
// Comes in: Processes, Targets, Probes with exact bytes. Goes out: valid UTF-8 without NUL, exact bytes beside it where
// they differ, and the size each piece takes on the wire. Knows neither connection nor caller.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "control/types.h"
#include "state/monitor.h"

namespace aa {

// The contract's bound for one reply; what is over it is refused or paged, never cut.
inline constexpr std::size_t kReplyLimit = 4 * 1024 * 1024;

// GetPathFilter alone may answer with more: rules have no pages. Half of what dbus-daemon carries unless told
// otherwise.
inline constexpr std::size_t kRulesReplyLimit = 16 * 1024 * 1024;

// argv in arrays: bytes in all, a terminator for each argument and the final … included.
inline constexpr std::size_t kRowArgvLimit = 4096;

// One process's argv in a dictionary: bytes on the wire, text and exact bytes together. The default recording of 64 KiB
// needs less even if every argument is empty; a longer recording is cut here and says argv_truncated.
inline constexpr std::size_t kDictArgvLimit = 1024 * 1024;

ProcessRow process_row(const Process& process);
Dict process_dict(const Monitor& monitor, const Process& process);
TargetRow target_row(const Monitor& monitor, const Target& target);
ProbeRow probe_row(const ProbeBody& probe);
RuleRow rule_row(const PathRule& rule);

// The Alert signal's details.
Dict alert_details(const Event& event, const AlertBody& alert);

// Never less than the bytes the value takes in a message, alignment included.
std::size_t wire_size(const ProcessRow& row);
std::size_t wire_size(const Dict& dict);
std::size_t wire_size(const PathRule& rule);  // of its row, without making it

// `argv` as bus strings, cut to `limit` bytes as kRowArgvLimit counts them; a cut, or `truncated`, shows as a final ….
std::vector<std::string> short_argv(const std::vector<std::string>& argv, bool truncated, std::size_t limit);

}  // namespace aa
