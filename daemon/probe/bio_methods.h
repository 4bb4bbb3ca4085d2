// probe/bio_methods.h: where the BIO that does TLS by itself (BIO_f_ssl) sends and receives.
//
// Comes in: the symbols and the code of a file. Goes out: the call, inside of a method that nobody exports, of what
// SSL_read_ex or SSL_write_ex calls too, with the same arguments. Sources: OpenSSL's ssl/bio_ssl.c, and struct
// bio_method_st in its include/internal/bio.h, the same from 1.1.1 to 3.5. Knows no kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "probe/elf_symbols.h"

namespace aa {

enum class BioMethod : std::uint8_t { write = 2, read = 4 };  // which word of the table it is

// Offsets in the file. With the stack pointer of `call`, `next` is where its result is in place.
struct BioCall {
  std::uint64_t call = 0;
  std::uint64_t next = 0;
};

// At most `count` bytes from a place in the file; fewer, or none, where it has none.
using ReadCode = std::function<std::vector<std::uint8_t>(std::uint64_t offset, std::size_t count)>;

// `like`: the exported function that does the same. Error: `doing` says what could not be found.
Result<BioCall> find_bio_call(const ElfSymbols& symbols, BioMethod method, const ElfFunction& like,
                              const ReadCode& code);

}  // namespace aa
