// probe/elf_symbols.h: where the functions that a library or program exports lie in its file.
//
// Comes in: an open file that nobody vouches for. Goes out: file offsets by name, as uprobes want them. Looks names up
// in the file's own hash table: a few short reads each, however large the file; every number in it is checked before
// use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace aa {

// Of a function: where its first byte lies in the file, how many it has (0: the file does not say), and where it lies
// in memory when the file is loaded at 0.
struct ElfFunction {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t address = 0;
};

class ElfSymbols {
 public:
  // `fd` is borrowed for the object's life. Error: not an ELF file of 64 bits and this machine's byte order, cut, or
  // without a table of exported symbols (DT_GNU_HASH); `doing` says which.
  static Result<ElfSymbols> open(int fd);

  // nullopt: none of that name.
  std::optional<ElfFunction> function(std::string_view name) const;

  // It is started by itself; a library is loaded by others.
  bool is_program() const { return is_program_; }

  // What the word at `address` points to once the loader is done (by a relative relocation, else as it is in the file).
  // Reads all relocations: some 70 kB in libssl.
  std::optional<ElfFunction> pointed_at(std::uint64_t address) const;

 private:
  struct Segment {
    std::uint64_t address = 0;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;  // in the file
  };
  explicit ElfSymbols(int fd) : fd_(fd) {}
  Status read_headers();
  Status read_dynamic(const Segment& dynamic);
  std::optional<std::uint64_t> offset_of(std::uint64_t address) const;
  template <class T>
  bool read(T& out, std::uint64_t offset) const;
  bool is_named(std::uint64_t at, std::string_view name) const;
  std::optional<ElfFunction> function_at(std::uint32_t symbol, std::string_view name) const;
  std::optional<std::uint64_t> relocated(std::uint64_t address) const;

  int fd_;
  bool is_program_ = false;
  std::vector<Segment> segments_;
  std::uint64_t hash_ = 0;  // file offsets of the tables
  std::uint64_t symbols_ = 0;
  std::uint64_t strings_ = 0;
  std::uint64_t relocations_ = 0;
  std::uint64_t relocation_bytes_ = 0;
};

}  // namespace aa
