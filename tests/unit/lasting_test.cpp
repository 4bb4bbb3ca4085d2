// A value in a file's memory: there for whoever comes next.
#include "base/lasting.h"

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "support/catch.h"
#include "support/scratch.h"

using aa::Lasting;
using aa::test::Scratch;

TEST_CASE("lasting: what was written is there for the next one, in a file that only its owner can read") {
  const Scratch folder;
  {
    auto first = Lasting<std::uint64_t>::open(folder.file("value"));
    REQUIRE(first);
    CHECK(**first == 0);
    **first = 42;
  }
  auto second = Lasting<std::uint64_t>::open(folder.file("value"));
  REQUIRE(second);
  CHECK(**second == 42);
  struct stat status {};
  REQUIRE(::stat(folder.file("value").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("lasting: a file of another size begins anew, and one that cannot be opened is an error") {
  const Scratch folder;
  folder.write("value", std::string(100, 'x'));
  auto value = Lasting<std::uint64_t>::open(folder.file("value"));
  REQUIRE(value);
  CHECK(**value == 0);
  CHECK_FALSE(Lasting<std::uint64_t>::open("/no/such/folder/value"));
}
