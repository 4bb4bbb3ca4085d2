#include "probe/bio_methods.h"

#include <set>

#include "probe/machine_code.h"

namespace aa {
namespace {

constexpr std::size_t kMostLookedAt = 1024;  // of a function that is looked through
constexpr std::size_t kWord = 8;

// From `at` on to the first place that nothing comes after; what is undefined ends it too.
std::vector<Instruction> straight_on(std::uint64_t at, std::size_t most, const ReadCode& code) {
  std::vector<Instruction> all;
  const std::vector<std::uint8_t> bytes = code(at, most);
  std::span<const std::uint8_t> left = bytes;
  while (const auto one = decode_instruction(left, all.empty() ? 0 : all.back().end())) {
    all.push_back(*one);
    if (one->flow == Flow::ret || one->flow == Flow::indirect_jump || one->flow == Flow::stop) break;
    left = left.subspan(one->length);
  }
  return all;
}

// A few instructions that only go on to another file's function.
bool is_linkage(std::uint64_t at, const ReadCode& code) {
  constexpr std::size_t kMostLinkage = 16;
  const auto all = straight_on(at, kMostLinkage, code);
  return all.size() <= 2 && !all.empty() && all.back().flow == Flow::indirect_jump;
}

std::uint64_t place(std::uint64_t function, std::int64_t at) {
  return function + static_cast<std::uint64_t>(at);
}

// The functions of this file that one of its functions calls.
std::set<std::uint64_t> called_by(const ElfFunction& function, const ReadCode& code) {
  std::set<std::uint64_t> called;
  for (const Instruction& one :
       straight_on(function.offset, std::min<std::size_t>(function.bytes, kMostLookedAt), code))
    if (one.flow == Flow::call && !is_linkage(place(function.offset, *one.target), code))
      called.insert(place(function.offset, *one.target));
  return called;
}

// The method's first byte in the file.
Result<std::uint64_t> method_of(const ElfSymbols& symbols, BioMethod method, const ReadCode& code) {
  const auto maker = symbols.function("BIO_f_ssl");
  if (!maker) return Error{"it does not export BIO_f_ssl", 0, ""};
  for (const Instruction& one : straight_on(maker->offset, kMostLookedAt, code)) {
    if (!one.loads) continue;
    const std::uint64_t table = place(maker->address, *one.loads);
    const auto found = symbols.pointed_at(table + static_cast<std::size_t>(method) * kWord);
    if (found) return found->offset;
  }
  return Error{"its methods' table was not found", 0, ""};
}

}  // namespace

Result<BioCall> find_bio_call(const ElfSymbols& symbols, BioMethod method, const ElfFunction& like,
                              const ReadCode& code) {
  const auto begin = method_of(symbols, method, code);
  if (!begin) return begin.error();
  const std::set<std::uint64_t> workers = called_by(like, code);
  if (workers.size() != 1) return Error{"what does the work of its methods is no function of its own", 0, ""};
  for (const Instruction& one : straight_on(*begin, kMostLookedAt, code))
    if (one.flow == Flow::call && workers.contains(place(*begin, *one.target)))
      return BioCall{place(*begin, one.at), place(*begin, one.end())};
  return Error{"its method does not call what SSL_read_ex or SSL_write_ex calls", 0, ""};
}

}  // namespace aa
