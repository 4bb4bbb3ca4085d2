// Files of /proc: what they say as far as they can be read.
#include "base/file_text.h"

#include <fstream>
#include <string>

#include "support/catch.h"
#include "support/scratch.h"

using aa::file_text;
using aa::test::Scratch;

TEST_CASE("file text: the whole file, or as much as is wanted") {
  const Scratch folder;
  const std::string content(10'000, 'x');
  std::ofstream(folder.file("long"), std::ios::binary) << content;
  CHECK(file_text(folder.file("long")) == content);
  CHECK(file_text(folder.file("long"), 4096) == content.substr(0, 4096));
  CHECK(file_text(folder.file("long"), 5) == "xxxxx");
}

TEST_CASE("file text: a file that cannot be opened, and one whose reading fails, are empty") {
  CHECK(file_text("/no/such/file").empty());
  CHECK(file_text("/").empty());               // EISDIR
  CHECK(file_text("/proc/self/mem").empty());  // EIO: nothing is mapped at 0
}
