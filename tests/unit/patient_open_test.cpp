// PatientOpen: paths opened in order; of what hangs see tests/kernel/test_reload.py.
#include "probe/patient_open.h"

#include <sys/stat.h>

#include "support/catch.h"
#include "support/scratch.h"

using namespace aa;
using namespace aa::test;

TEST_CASE(
    "patient open: each path that is there has its own descriptor, whatever lies before it; a FIFO is not waited for") {
  const Scratch scratch;
  scratch.write("a", "");
  REQUIRE(::mkfifo(scratch.file("fifo").c_str(), 0600) == 0);
  PatientOpen opener;
  const auto open = opener.open({scratch.file("none"), scratch.file("a"), scratch.file("fifo"), "", scratch.file(".")});
  REQUIRE(open.size() == 5);
  CHECK((!open[0] && open[1] && open[2] && !open[3] && open[4]));
  struct stat by_descriptor {
  }, by_path{};
  REQUIRE((::fstat(open[1].get(), &by_descriptor) == 0 && ::stat(scratch.file("a").c_str(), &by_path) == 0));
  CHECK(by_descriptor.st_ino == by_path.st_ino);
  CHECK(opener.take_unanswered().empty());
  CHECK(opener.open({}).empty());
  opener.stop();
  CHECK(!opener.open({"/"}).at(0));
}
