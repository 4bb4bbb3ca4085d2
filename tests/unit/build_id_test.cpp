// Which program a file is: build-ids read from real and from broken files.
#include "probe/build_id.h"

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/unique_fd.h"
#include "support/catch.h"
#include "support/rounds.h"
#include "support/scratch.h"

using namespace aa;
using namespace aa::test;

namespace {

std::string head_of(const std::string& path) {
  std::string head(4096, '\0');
  std::ifstream(path, std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size()));
  return head;
}

std::string id_of(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(fd);
  return read_build_id(fd.get());
}

}  // namespace

TEST_CASE("build-id: a program has one, its copy has the same, whatever is put behind it") {
  const Scratch scratch;
  const std::string self = "/proc/self/exe";
  const std::string id = id_of(self);
  CHECK(id.size() >= 8);
  const std::string copy = scratch.file("copy");
  std::filesystem::copy_file(self, copy);
  std::ofstream(copy, std::ios::binary | std::ios::app) << "tail";
  CHECK(id_of(copy) == id);
}

TEST_CASE(
    "build-id: what is no program, or is cut or damaged anywhere in its headers, has none, or its own or another one "
    "whole") {
  const Scratch scratch;
  const std::string path = scratch.file("x");
  const auto id_of_bytes = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return id_of(path);
  };
  CHECK(id_of_bytes("").empty());
  CHECK(id_of_bytes("#!/bin/sh\n").empty());
  const std::string head = head_of("/proc/self/exe");
  const std::string whole = id_of("/proc/self/exe");
  for (std::size_t length = 0; length < head.size(); length += 16) {
    const std::string id = id_of_bytes(head.substr(0, length));
    CHECK((id.empty() || (id == whole && length > 64)));
  }
  for (std::size_t at = 0; at < 1024; at += test::sparse()) {
    std::string damaged = head;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xFF);
    CHECK(id_of_bytes(damaged).size() <= 64);
  }
}

TEST_CASE("programs: the first name of an id stays, and an interpreter with something joined to it is no copy") {
  ProgramBook book(shipped_detect_table());
  book.learn("one", 100, "bash");
  book.learn("one", 100, "curl");
  book.learn("two", 100, "node");
  CHECK(book.program_of("one", 100) == "bash");
  CHECK(book.program_of("one", 101) == "bash");
  CHECK(book.program_of("two", 100) == "node");
  CHECK(book.program_of("two", 5'000'000).empty());
  CHECK(book.program_of("", 100).empty());
  CHECK(book.program_of("three", 100).empty());
}

TEST_CASE("programs: a folder's files go by their own name, a link's only where it is the only one") {
  namespace fs = std::filesystem;
  const Scratch scratch;
  const std::string folder = scratch.file("bin");
  fs::create_directory(folder);
  const std::string id = id_of("/proc/self/exe");
  fs::copy_file("/proc/self/exe", folder + "/many");
  const std::uint64_t size = fs::file_size(folder + "/many");
  fs::create_symlink("many", folder + "/cp");
  fs::create_symlink("many", folder + "/base64");
  ProgramBook many(shipped_detect_table());
  many.learn_folder(folder);
  CHECK(many.size() == 0);
  fs::remove(folder + "/base64");
  ProgramBook one(shipped_detect_table());
  one.learn_folder(folder);
  CHECK(one.program_of(id, size) == "cp");
  fs::rename(folder + "/many", folder + "/zsh-5.9");
  ProgramBook own(shipped_detect_table());
  own.learn_folder(folder);
  CHECK(own.program_of(id, size) == "zsh");
  own.learn_folder(folder + "/missing");
  CHECK(own.size() == 1);
}
