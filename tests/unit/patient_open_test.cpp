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
  const std::vector<std::string> paths = {scratch.file("none"), scratch.file("a"), scratch.file("fifo"), "",
                                          scratch.file(".")};
  PatientOpen opener;
  for (const std::size_t most : {1, 2, 5, 100}) {
    CAPTURE(most);
    std::vector<bool> opened;
    const bool answered = opener.open(paths, most, [&](std::size_t begin, const std::vector<UniqueFd>& open) {
      CHECK((begin == opened.size() && open.size() <= most));
      for (std::size_t at = 0; at < open.size(); ++at) {
        opened.push_back(static_cast<bool>(open[at]));
        struct stat by_descriptor {
        }, by_path{};
        if (!open[at]) continue;
        REQUIRE((::fstat(open[at].get(), &by_descriptor) == 0 && ::stat(paths[begin + at].c_str(), &by_path) == 0));
        CHECK(by_descriptor.st_ino == by_path.st_ino);
      }
    });
    CHECK(answered);
    CHECK(opened == std::vector<bool>{false, true, true, false, true});
  }
  CHECK(opener.take_unanswered().empty());
  const auto nobody = [](std::size_t, const std::vector<UniqueFd>&) { FAIL("nothing is to be opened"); };
  CHECK(opener.open({}, 1, nobody));
  opener.stop();
  CHECK_FALSE(opener.open({"/"}, 1, nobody));
}
