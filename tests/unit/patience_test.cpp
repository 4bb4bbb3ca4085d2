// A Patience and those that never answer.
#include "base/patience.h"

#include <unistd.h>

#include <array>
#include <memory>
#include <thread>

#include "base/unique_fd.h"
#include "support/catch.h"

namespace {

using aa::Patience;
using namespace std::chrono_literals;

// Answers when somebody writes to it, or is gone.
struct Silent {
  aa::UniqueFd reader, writer;
  Silent() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  auto question() const {
    return [fd = reader.get()] {
      char byte = 0;
      return ::read(fd, &byte, 1);
    };
  }
};

void wait_until_back(const Patience& patience) {
  while (patience.is_waited_for()) std::this_thread::sleep_for(1ms);
}

}  // namespace

TEST_CASE("what answers is returned, also what can only be moved") {
  Patience patience;
  const auto answer = patience.ask([] { return std::make_unique<int>(7); });
  REQUIRE(answer);
  CHECK(**answer == 7);
  CHECK(patience.given_up() == 0);
}

TEST_CASE("what does not answer is left behind, others are asked on, and it frees what it holds when it is back") {
  Silent silent;
  Patience patience(1000ms);  // who is asked next has a tenth of it
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  auto ask = [held = std::move(held), question = silent.question()] { return question(); };
  CHECK_FALSE(patience.ask(std::move(ask)));
  CHECK(patience.given_up() == 1);
  CHECK(patience.is_waited_for());
  CHECK_FALSE(watched.expired());
  CHECK(patience.ask([] { return 1; }) == 1);
  silent.writer.reset();
  wait_until_back(patience);
  CHECK(watched.expired());
}

TEST_CASE("when too many do not answer nobody is asked, until they are back") {
  Silent silent;
  Patience patience(500ms);
  for (int i = 0; i < 8; ++i) CHECK_FALSE(patience.ask(silent.question()));
  bool asked = false;
  CHECK_FALSE(patience.ask([&asked] { return asked = true; }));
  CHECK_FALSE(asked);
  CHECK(patience.given_up() == 9);
  silent.writer.reset();
  wait_until_back(patience);
  CHECK(patience.ask([] { return 1; }) == 1);
}

TEST_CASE("who asked may be gone before the answer") {
  Silent silent;
  {
    Patience patience(1ms);
    CHECK_FALSE(patience.ask(silent.question()));
  }
  silent.writer.reset();
}
