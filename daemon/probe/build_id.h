// probe/build_id.h: which program a file is, by the id its linker gave it, whatever it is called.
//
// Comes in: open files. Goes out: build-ids, and the known program that has one. Looks at an ELF file's headers and
// notes only: a few kilobytes of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "state/detect_table.h"

namespace aa {

// The GNU build-id of an ELF file, raw bytes; "" when it has none or is no such file. Three short reads.
std::string read_build_id(int fd);

// Programs by build-id.
class ProgramBook {
 public:
  explicit ProgramBook(const DetectTable& table) : table_(table) {}

  // The file, of `size` bytes, is the program `name` of the table. The first name stays.
  void learn(const std::string& build_id, std::uint64_t size, const std::string& name);
  // Takes in a folder's files that are called like a program of the table.
  void learn_folder(const std::string& path);

  // The program a file is a copy of; "" none known. What is made by joining an interpreter and a program of one's own
  // (a compiled script) has the interpreter's id, but is longer: it is no copy.
  std::string program_of(const std::string& build_id, std::uint64_t size) const;

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string name;
    std::uint64_t size = 0;
  };
  bool is_interpreter(const std::string& name) const;

  const DetectTable& table_;
  std::map<std::string, Entry> entries_;
};

}  // namespace aa
