// Exported functions of real files, and files that are not what they seem.
#include "probe/elf_symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/unique_fd.h"
#include "probe/tls_library.h"
#include "support/catch.h"
#include "support/scratch.h"

using namespace aa;
using namespace aa::test;

namespace {

// The C library this program runs with.
std::string library_path() {
  Dl_info info{};
  return ::dladdr(reinterpret_cast<void*>(&::getpid), &info) != 0 ? info.dli_fname : "";
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string refusal_of(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto symbols = ElfSymbols::open(fd.get());
  return symbols ? "" : symbols.error().doing;
}

}  // namespace

TEST_CASE("elf: an exported function is found where the loader has it") {
  const std::string path = library_path();
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto symbols = ElfSymbols::open(fd.get());
  REQUIRE(symbols.has_value());
  const auto found = symbols->function("getpid");
  REQUIRE(found.has_value());
  CHECK(found->bytes > 0);
  const std::string bytes = content_of(path);
  CHECK(bytes.compare(found->offset, 8, std::string(reinterpret_cast<const char*>(&::getpid), 8)) == 0);
  CHECK_FALSE(symbols->function("no_function_has_this_name").has_value());
  CHECK_FALSE(symbols->function("").has_value());
}

TEST_CASE("elf: what is no library is refused with a sentence") {
  const Scratch folder;
  const auto file = [&](const std::string& content) {
    const std::string path = folder.file("file");
    std::ofstream(path, std::ios::binary) << content;
    return path;
  };
  CHECK(refusal_of(file("")).find("no ELF file") != std::string::npos);
  CHECK(refusal_of(file("#!/bin/sh\n")).find("no ELF file") != std::string::npos);
  std::string narrow = content_of(library_path()).substr(0, 4096);
  narrow[EI_CLASS] = ELFCLASS32;
  CHECK(refusal_of(file(narrow)).find("64 bits") != std::string::npos);
  CHECK(refusal_of("/").find("no ELF file") != std::string::npos);
}

TEST_CASE("elf: a library cut or changed anywhere in its head is refused or searched, and never read wrongly") {
  const Scratch folder;
  const std::string whole = content_of(library_path());
  const std::string path = folder.file("cut");
  for (const std::size_t size : {10u, 63u, 64u, 100u, 600u, 1000u, 5000u, 100'000u}) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (const auto symbols = ElfSymbols::open(fd.get())) (void)symbols->function("getpid");
  }
  for (std::size_t at = 0; at < 1024; at += 17) {
    std::string changed = whole.substr(0, 50'000);
    changed[at] = static_cast<char>(~changed[at]);
    std::ofstream(path, std::ios::binary) << changed;
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (const auto symbols = ElfSymbols::open(fd.get())) (void)symbols->function("getpid");
  }
}

TEST_CASE("elf: a word that the loader fills in is known by what it will point to") {
  const std::string path = library_path();
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto symbols = ElfSymbols::open(fd.get());
  REQUIRE(symbols.has_value());
  // The first program header of what is relocated, whose words are pointers into this file once it is loaded.
  Dl_info info{};
  REQUIRE(::dladdr(reinterpret_cast<void*>(&::getpid), &info) != 0);
  const auto base = reinterpret_cast<std::uint64_t>(info.dli_fbase);
  const auto* header = static_cast<const Elf64_Ehdr*>(info.dli_fbase);
  std::size_t found = 0;
  for (std::size_t i = 0; i < header->e_phnum; ++i) {
    const auto* part = reinterpret_cast<const Elf64_Phdr*>(base + header->e_phoff) + i;
    if (part->p_type != PT_GNU_RELRO) continue;
    for (std::uint64_t at = part->p_vaddr; at < part->p_vaddr + part->p_memsz && found < 8; at += 8) {
      const std::uint64_t word = *reinterpret_cast<const std::uint64_t*>(base + at);
      const auto pointed = symbols->pointed_at(at);
      if (!pointed || word - base != pointed->address) continue;
      ++found;
    }
  }
  CHECK(found == 8);
  CHECK_FALSE(symbols->pointed_at(~std::uint64_t{0} - 7).has_value());
}

TEST_CASE("tls library: the methods of OpenSSL's own BIO are found in the library of this machine") {
  const auto paths = usual_tls_libraries();
  const auto path = std::find_if(paths.begin(), paths.end(),
                                 [](const std::string& one) { return one.find("/libssl.so.3") != std::string::npos; });
  REQUIRE(path != paths.end());
  const auto library = read_tls_library(*path, {});
  REQUIRE((library.has_value() && library->has_value()));
  CHECK((*library)->unseen.empty());
  const auto chosen = (*library)->chosen.find("call + what follows");
  REQUIRE(chosen != (*library)->chosen.end());
  CHECK(chosen->second == std::vector<std::string>{"BIO_f_ssl.read", "BIO_f_ssl.write"});
}

TEST_CASE("tls library: a file without one is none, one that is not there is an error with its name") {
  const auto none = read_tls_library(library_path(), {});
  REQUIRE(none.has_value());
  CHECK_FALSE(none->has_value());
  const auto absent = read_tls_library("/nonexistent/libssl.so.3", {});
  REQUIRE_FALSE(absent.has_value());
  CHECK(absent.error().text().find("/nonexistent/libssl.so.3") != std::string::npos);
  CHECK_FALSE(read_tls_library("/dev/null", {}).has_value());
}
