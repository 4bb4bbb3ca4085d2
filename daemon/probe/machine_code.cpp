#include "probe/machine_code.h"

#if defined(__x86_64__)
#include <Zydis/Zydis.h>

#include <algorithm>
#include <array>
#endif

namespace aa {

#if defined(__x86_64__)
namespace {

constexpr ZyanI64 kCanaryAt = 0x28;  // %fs:0x28
// What a called function may change: all but rbx, rbp, rsp and r12 to r15.
constexpr std::uint32_t kCallersOwn = 0x0FC7;

using Operands = std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT>;

struct Decoded {
  ZydisDecodedInstruction head;
  Operands operands;

  std::span<const ZydisDecodedOperand> all() const { return {operands.data(), head.operand_count}; }
  const ZydisDecodedOperand& operand(std::size_t i) const { return operands.at(i); }
};

// The number of the whole register that a part belongs to; nullopt: no general one.
std::optional<std::uint32_t> number_of(ZydisRegister part) {
  const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, part);
  if (ZydisRegisterGetClass(whole) != ZYDIS_REGCLASS_GPR64) return std::nullopt;
  return static_cast<std::uint32_t>(ZydisRegisterGetId(whole));
}

bool is_stack_pointer(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.reg.value == ZYDIS_REGISTER_RSP;
}

std::uint32_t written_by(const Decoded& one) {
  std::uint32_t writes = 0;
  for (const ZydisDecodedOperand& operand : one.all()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0)
      continue;
    if (const auto number = number_of(operand.reg.value)) writes |= 1u << *number;
  }
  return one.head.mnemonic == ZYDIS_MNEMONIC_CALL ? writes | kCallersOwn : writes;
}

Flow flow_of(const Decoded& one) {
  const ZydisDecodedInstruction& head = one.head;
  const bool fixed = head.operand_count_visible == 1 && one.operand(0).type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  switch (head.mnemonic) {
    case ZYDIS_MNEMONIC_RET:
      return Flow::ret;
    case ZYDIS_MNEMONIC_JMP:
      return fixed ? Flow::jump : Flow::indirect_jump;
    case ZYDIS_MNEMONIC_CALL:
      return fixed ? Flow::call : Flow::on;
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_HLT:
      return Flow::stop;
    default:
      return head.meta.category == ZYDIS_CATEGORY_COND_BR ? Flow::branch : Flow::on;
  }
}

// As arch/x86/kernel/uprobes.c has it: a push of a register, the nop of one byte, jumps and calls to a fixed place, but
// not the loop family; nothing with a prefix for the operand's size.
bool is_emulated(const Decoded& one, Flow flow) {
  const ZydisDecodedInstruction& head = one.head;
  if ((head.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0) return false;
  if (flow == Flow::branch)
    return head.opcode < 0xE0 || head.opcode > 0xE3 || head.opcode_map != ZYDIS_OPCODE_MAP_DEFAULT;
  const bool push = head.mnemonic == ZYDIS_MNEMONIC_PUSH && head.opcode >= 0x50 && head.opcode <= 0x57;
  const bool nop = head.mnemonic == ZYDIS_MNEMONIC_NOP && head.length == 1;
  return flow == Flow::call || flow == Flow::jump || push || nop;
}

// Sets how the stack grows, or that it was not followed.
void follow_stack(const Decoded& one, Instruction& out) {
  constexpr std::int32_t kWord = 8;
  const bool by_constant = one.head.operand_count_visible == 2 && is_stack_pointer(one.operand(0)) &&
                           one.operand(1).type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  const auto constant = [&] { return static_cast<std::int32_t>(one.operand(1).imm.value.s); };
  const bool narrow = (one.head.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0;
  switch (one.head.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
      out.taken = kWord;
      out.loses_stack = narrow;
      return;
    case ZYDIS_MNEMONIC_POP:
      out.taken = -kWord;
      out.loses_stack = narrow || is_stack_pointer(one.operand(0));
      return;
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_RET:
      return;
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_ADD:
      if (!by_constant) break;
      out.taken = one.head.mnemonic == ZYDIS_MNEMONIC_SUB ? constant() : -constant();
      return;
    default:
      break;
  }
  out.loses_stack = (out.writes & 1u << kRsp) != 0;
}

// Of `lea PLACE(%rip), REGISTER`: how far behind the instruction it is.
std::optional<std::int64_t> lea_behind(const Decoded& one) {
  if (one.head.mnemonic != ZYDIS_MNEMONIC_LEA || one.operand(1).mem.base != ZYDIS_REGISTER_RIP) return std::nullopt;
  return one.operand(1).mem.disp.value;
}

bool compares_canary(const Decoded& one) {
  if (one.head.mnemonic != ZYDIS_MNEMONIC_SUB && one.head.mnemonic != ZYDIS_MNEMONIC_XOR &&
      one.head.mnemonic != ZYDIS_MNEMONIC_CMP)
    return false;
  return std::ranges::any_of(one.all(), [](const ZydisDecodedOperand& operand) {
    return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.segment == ZYDIS_REGISTER_FS &&
           operand.mem.base == ZYDIS_REGISTER_NONE && operand.mem.index == ZYDIS_REGISTER_NONE &&
           operand.mem.disp.value == kCanaryAt;
  });
}

}  // namespace

std::optional<Instruction> decode_instruction(std::span<const std::uint8_t> bytes, std::int64_t at) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  Decoded one{};
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &one.head, one.operands.data())))
    return std::nullopt;
  Instruction out;
  out.at = at;
  out.length = one.head.length;
  out.flow = flow_of(one);
  out.emulated = is_emulated(one, out.flow);
  out.writes = written_by(one);
  follow_stack(one, out);
  out.reads_canary = compares_canary(one);
  if (out.flow == Flow::call || out.flow == Flow::jump || out.flow == Flow::branch)
    out.target = out.end() + one.operand(0).imm.value.s;
  if (const auto behind = lea_behind(one)) out.loads = out.end() + *behind;
  return out;
}

#else

std::optional<Instruction> decode_instruction(std::span<const std::uint8_t>, std::int64_t) {
  return std::nullopt;
}

#endif

std::optional<std::vector<Instruction>> decode_function(std::span<const std::uint8_t> bytes) {
  std::vector<Instruction> all;
  while (!bytes.empty()) {
    const auto one = decode_instruction(bytes, all.empty() ? 0 : all.back().end());
    if (!one) return std::nullopt;
    all.push_back(*one);
    bytes = bytes.subspan(one->length);
  }
  return all.empty() ? std::nullopt : std::optional(std::move(all));
}

}  // namespace aa
