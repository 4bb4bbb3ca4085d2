// probe/libbpf_log.h: what libbpf says while it loads programs, and the one line of it that a person needs.
//
// Comes in: libbpf's messages, from the moment keep_libbpf_log() is called. Goes out: text. Knows no program of ours.
#pragma once

#include <string>
#include <string_view>

namespace aa {

// The end of what libbpf has said to this thread since forget_libbpf_log(): a verifier's reasons are its last lines. At
// most 16 KiB.
const std::string& libbpf_log();
void forget_libbpf_log();
void keep_libbpf_log();

// The program and the verifier's reason ("aa_exec: R1 invalid mem access 'inv'") where the log ends in one, else
// libbpf's own last line; "" of an empty log.
std::string reason_in(std::string_view log);

// The verifier gave a reason: whatever the errno, it is not a want of privileges.
bool is_verifiers(std::string_view log);

// The last program that could not be loaded; "" where the log names none.
std::string program_refused(std::string_view log);

}  // namespace aa
