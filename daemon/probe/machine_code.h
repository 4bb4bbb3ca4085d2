// probe/machine_code.h: a function's instructions, as far as choosing places for probes needs to know them.
//
// Comes in: bytes that nobody vouches for, x86-64 only (elsewhere nothing is ever decoded). Goes out: a row for each
// instruction. Knows no file and no kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace aa {

// What an instruction does to the flow. `stop`: nothing comes after it (int3, ud2, hlt).
enum class Flow : std::uint8_t { on, call, jump, branch, indirect_jump, ret, stop };

struct Instruction {
  std::int64_t at = 0;  // from the function's first byte
  std::uint32_t length = 0;
  Flow flow = Flow::on;
  std::optional<std::int64_t> target;  // of a direct call, jump or branch; from the function's first byte too
  std::optional<std::int64_t> loads;   // the place that a lea gives the address of, likewise
  std::uint32_t writes = 0;   // general registers changed, wholly or in part: 1 << their number in the encoding
  std::int32_t taken = 0;     // bytes that the stack grows by; below 0: it shrinks
  bool loses_stack = false;   // the stack pointer is changed in a way that was not followed
  bool reads_canary = false;  // compares with the word that a smashed stack has not
  bool emulated = false;      // the kernel carries it out itself; other ones cost a probe a second trap

  std::int64_t end() const { return at + length; }
};

// Numbers of registers, as in `writes`.
inline constexpr std::uint32_t kRax = 0, kRcx = 1, kRsp = 4, kRsi = 6, kRdi = 7, kR8 = 8;

// The instruction that `bytes` begin with, which lies at `at`; nullopt: not one that is known.
std::optional<Instruction> decode_instruction(std::span<const std::uint8_t> bytes, std::int64_t at);

// All of a function, one after the other; nullopt when any byte of it cannot be decoded.
std::optional<std::vector<Instruction>> decode_function(std::span<const std::uint8_t> bytes);

}  // namespace aa
