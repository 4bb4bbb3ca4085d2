#include "probe/elf_symbols.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace aa {
namespace {

constexpr std::size_t kMostSegments = 64;
constexpr std::size_t kMostDynamic = 512;
constexpr std::uint32_t kMostInBucket = 4096;
constexpr std::size_t kLongestName = 256;
constexpr std::uint64_t kMostRelocations = 1 << 20;
#if defined(__aarch64__)
constexpr std::uint32_t kRelative = R_AARCH64_RELATIVE;
#else
constexpr std::uint32_t kRelative = R_X86_64_RELATIVE;
#endif

Error bad(std::string what) {
  return Error{"read its symbols: " + std::move(what), 0, ""};
}

// The hash function of DT_GNU_HASH.
std::uint32_t gnu_hash(std::string_view name) {
  std::uint32_t hash = 5381;
  for (const char character : name) hash = hash * 33 + static_cast<unsigned char>(character);
  return hash;
}

}  // namespace

template <class T>
bool ElfSymbols::read(T& out, std::uint64_t offset) const {
  return ::pread(fd_, &out, sizeof(out), static_cast<off_t>(offset)) == static_cast<ssize_t>(sizeof(out));
}

Result<ElfSymbols> ElfSymbols::open(int fd) {
  ElfSymbols symbols(fd);
  if (Status read = symbols.read_headers(); !read) return read.error();
  return symbols;
}

Status ElfSymbols::read_headers() {
  constexpr int kOwnOrder = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
  Elf64_Ehdr header;
  if (!read(header, 0) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return bad("it is no ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != kOwnOrder)
    return bad("it is not for 64 bits, or for another byte order");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMostSegments)
    return bad("its program headers are not as they should be");
  std::optional<Segment> dynamic;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!read(segment, header.e_phoff + i * sizeof(segment))) return bad("it is cut within its program headers");
    const Segment found{segment.p_vaddr, segment.p_offset, segment.p_filesz};
    if (segment.p_type == PT_LOAD) segments_.push_back(found);
    if (segment.p_type == PT_DYNAMIC) dynamic = found;
    if (segment.p_type == PT_INTERP) is_program_ = true;
  }
  if (!dynamic) return bad("it exports nothing: it is linked statically");
  return read_dynamic(*dynamic);
}

Status ElfSymbols::read_dynamic(const Segment& dynamic) {
  const std::size_t count = std::min<std::size_t>(dynamic.bytes / sizeof(Elf64_Dyn), kMostDynamic);
  std::optional<std::uint64_t> hash, symbols, strings;
  for (std::size_t i = 0; i < count; ++i) {
    Elf64_Dyn entry;
    if (!read(entry, dynamic.offset + i * sizeof(entry))) return bad("it is cut within its dynamic section");
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_GNU_HASH) hash = offset_of(entry.d_un.d_ptr);
    if (entry.d_tag == DT_SYMTAB) symbols = offset_of(entry.d_un.d_ptr);
    if (entry.d_tag == DT_STRTAB) strings = offset_of(entry.d_un.d_ptr);
    if (entry.d_tag == DT_RELA) relocations_ = offset_of(entry.d_un.d_ptr).value_or(0);
    if (entry.d_tag == DT_RELASZ) relocation_bytes_ = entry.d_un.d_val;
  }
  if (!hash || !symbols || !strings) return bad("it has no table of exported symbols");
  hash_ = *hash;
  symbols_ = *symbols;
  strings_ = *strings;
  return Done{};
}

std::optional<std::uint64_t> ElfSymbols::offset_of(std::uint64_t address) const {
  for (const Segment& segment : segments_)
    if (address >= segment.address && address - segment.address < segment.bytes)
      return address - segment.address + segment.offset;
  return std::nullopt;
}

// A header of four words, a Bloom filter (left aside), buckets with the first symbol of each, and for every symbol from
// `first` on its hash, whose lowest bit ends a bucket.
std::optional<ElfFunction> ElfSymbols::function(std::string_view name) const {
  struct {
    std::uint32_t buckets, first, bloom, shift;
  } table;
  if (name.size() >= kLongestName || !read(table, hash_) || table.buckets == 0) return std::nullopt;
  const std::uint32_t hash = gnu_hash(name);
  const std::uint64_t buckets = hash_ + sizeof(table) + std::uint64_t{table.bloom} * sizeof(std::uint64_t);
  const std::uint64_t chains = buckets + std::uint64_t{table.buckets} * sizeof(std::uint32_t);
  std::uint32_t symbol = 0;
  if (!read(symbol, buckets + hash % table.buckets * sizeof(symbol)) || symbol < table.first) return std::nullopt;
  for (std::uint32_t i = 0; i < kMostInBucket; ++i, ++symbol) {
    std::uint32_t link = 0;
    if (!read(link, chains + std::uint64_t{symbol - table.first} * sizeof(link))) return std::nullopt;
    if ((link | 1) == (hash | 1))
      if (const auto found = function_at(symbol, name)) return found;
    if ((link & 1) != 0) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<ElfFunction> ElfSymbols::function_at(std::uint32_t symbol, std::string_view name) const {
  Elf64_Sym entry;
  if (!read(entry, symbols_ + std::uint64_t{symbol} * sizeof(entry))) return std::nullopt;
  if (ELF64_ST_TYPE(entry.st_info) != STT_FUNC || entry.st_shndx == SHN_UNDEF) return std::nullopt;
  const auto offset = offset_of(entry.st_value);
  if (!offset || !is_named(strings_ + entry.st_name, name)) return std::nullopt;
  return ElfFunction{*offset, entry.st_size, entry.st_value};
}

std::optional<ElfFunction> ElfSymbols::pointed_at(std::uint64_t address) const {
  std::uint64_t to = 0;
  if (const auto value = relocated(address))
    to = *value;
  else if (const auto place = offset_of(address); !place || !read(to, *place))
    return std::nullopt;
  const auto offset = to == 0 ? std::nullopt : offset_of(to);
  if (!offset) return std::nullopt;
  return ElfFunction{*offset, 0, to};
}

std::optional<std::uint64_t> ElfSymbols::relocated(std::uint64_t address) const {
  if (relocations_ == 0) return std::nullopt;
  const std::uint64_t count = std::min(relocation_bytes_ / sizeof(Elf64_Rela), kMostRelocations);
  std::array<Elf64_Rela, 512> some;
  for (std::uint64_t done = 0; done < count;) {
    const std::uint64_t wanted = std::min<std::uint64_t>(some.size(), count - done);
    const ssize_t length = ::pread(fd_, some.data(), wanted * sizeof(Elf64_Rela),
                                   static_cast<off_t>(relocations_ + done * sizeof(Elf64_Rela)));
    if (length != static_cast<ssize_t>(wanted * sizeof(Elf64_Rela))) return std::nullopt;
    for (const Elf64_Rela& one : std::span(some).first(wanted))
      if (one.r_offset == address && ELF64_R_TYPE(one.r_info) == kRelative)
        return static_cast<std::uint64_t>(one.r_addend);
    done += wanted;
  }
  return std::nullopt;
}

bool ElfSymbols::is_named(std::uint64_t at, std::string_view name) const {
  std::array<char, kLongestName> text{};
  const ssize_t length = ::pread(fd_, text.data(), name.size() + 1, static_cast<off_t>(at));
  return length == static_cast<ssize_t>(name.size() + 1) && std::string_view(text.data(), name.size()) == name &&
         text[name.size()] == '\0';
}

}  // namespace aa
