// The JSON Lines file: what it misses, and of what time that was.
#include "sink/jsonl.h"

#include <fcntl.h>
#include <poll.h>

#include <memory>
#include <string>

#include "support/builders.h"
#include "support/catch.h"

using namespace aa;
using namespace aa::test;

namespace {

struct FullDisk {
  FullDisk() : sink(std::move(*JsonlSink::over(UniqueFd(::open("/dev/full", O_WRONLY | O_CLOEXEC))))) {}

  // One batch of events of these times, which the disk does not take.
  void lose(const std::vector<std::uint64_t>& times) {
    for (const std::uint64_t at : times)
      sink->take(an_exit().of(a_process(1, 1)).at(at), std::make_shared<const std::string>("{}\n"));
    sink->seal(++position);
    pollfd told{sink->ack_fd(), POLLIN, 0};
    while (sink->acknowledged() < position) {
      REQUIRE(::poll(&told, 1, 10'000) == 1);
      sink->clear_ack();
    }
  }

  std::unique_ptr<JsonlSink> sink;
  std::uint64_t position = 0;
};

}  // namespace

TEST_CASE("jsonl: what the file misses is of the earliest and the latest time lost, in whatever order events came") {
  FullDisk disk;
  disk.lose({30, 10, 20});  // what was held back is told after what happened later
  CHECK(disk.sink->counts().write_errors == LossBody{"jsonl", "write-error", 3, 10, 30});
  disk.lose({5, 25});
  CHECK(disk.sink->counts().write_errors == LossBody{"jsonl", "write-error", 5, 5, 30});
}
