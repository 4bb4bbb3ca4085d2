// probe/tls_trial.h: a function of our own that stands for a TLS library's: probes on it show what this kernel does.
//
// The self-test's child calls it to see its bytes arrive. And before any library is touched, a child under a system
// call filter that kills calls it: some kernels make a system call at a probed function's end, and would have killed
// every sandboxed program of the machine.
#pragma once

#include <cstdint>
#include <string_view>

namespace aa {

inline constexpr std::string_view kTrialBytes = "aa-ebpfd tried itself";

// As SSL_write: takes `length` bytes, returns how many.
extern "C" int aa_tls_trial(void* object, const void* data, int length);

void call_trial();  // async-signal-safe

// Where the function lies in this program's file (/proc/self/exe); 0: not found.
std::uint64_t trial_offset();
// Where its return lies there; 0: not found, or no machine whose code is read.
std::uint64_t trial_return_offset();

// A child that only may exit calls the probed function. False: it was killed. Blocks for a fork.
bool survives_filter();

}  // namespace aa
