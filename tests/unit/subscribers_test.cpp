// A reader's pipe: whole lines in order, or a count of what is missing; never a wait for the reader.
#include "sink/subscribers.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/builders.h"
#include "support/catch.h"
#include "support/rounds.h"

using namespace aa;
using namespace aa::test;
using nlohmann::json;

namespace {

// What makes a line about 1 KiB long. Known, it is compared rather than parsed: parsing takes a hundred times as long.
const std::string kFiller = ",\"x\":\"" + std::string(1000, 'x') + "\"}";

struct House {
  House() : loop(std::move(*EventLoop::make([] { return std::uint64_t{0}; }))), subscribers(*loop) {
    ::signal(SIGPIPE, SIG_IGN);  // as the daemon does
  }

  UniqueFd reader(StreamFilter filter = {}) {
    UniqueFd end = std::move(*subscribers.add(std::move(filter), [] { return true; }));
    ::fcntl(end.get(), F_SETFL, O_NONBLOCK);
    return end;
  }

  // One event of about 1 KiB.
  void take(std::uint64_t seq) {
    const auto line =
        std::make_shared<const std::string>("{\"seq\":" + std::to_string(seq) + ",\"type\":\"exit\"" + kFiller + "\n");
    Event event = an_exit().of(a_process(1, 1)).at(seq);
    event.seq = seq;
    subscribers.take(event, line);
    if (seq % 64 == 0) subscribers.flush();
  }

  std::unique_ptr<EventLoop> loop;
  Subscribers subscribers;
};

// All that can be had without waiting; every line must be whole.
std::vector<json> read_all(House& house, const UniqueFd& end) {
  std::string text;
  std::string chunk(1 << 16, '\0');
  for (bool more = true; more;) {
    house.subscribers.flush();
    more = false;
    for (ssize_t n = 0; (n = ::read(end.get(), chunk.data(), chunk.size())) > 0; more = true)
      text.append(chunk, 0, static_cast<std::size_t>(n));
  }
  std::vector<json> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end_of_line = text.find('\n', at);
    REQUIRE(end_of_line != std::string::npos);
    std::string line = text.substr(at, end_of_line - at);
    if (line.ends_with(kFiller)) line.replace(line.size() - kFiller.size(), kFiller.size(), "}");
    lines.push_back(json::parse(line));
    at = end_of_line + 1;
  }
  return lines;
}

}  // namespace

TEST_CASE("subscribers: a reader that follows gets every line in order") {
  House house;
  const UniqueFd end = house.reader();
  const std::uint64_t events = test::rounds(20'000);
  std::uint64_t expected = 0;
  for (std::uint64_t seq = 1; seq <= events; ++seq) {
    house.take(seq);
    if (seq % 500 == 0 || seq == events)
      for (const json& line : read_all(house, end)) CHECK(line["seq"] == ++expected);
  }
  CHECK(expected == events);
  CHECK(house.subscribers.counts().lost == 0);
}

TEST_CASE("subscribers: one too slow is told where and how many, and what it got and lost adds up") {
  House house;
  const UniqueFd slow = house.reader();
  constexpr std::uint64_t kEvents = 12'000;  // more than its pipe and its queue hold
  for (std::uint64_t seq = 1; seq <= kEvents; ++seq) house.take(seq);
  std::uint64_t got = 0, lost = 0, last = 0;
  for (const json& line : read_all(house, slow)) {
    const auto seq = line["seq"].get<std::uint64_t>();
    if (line["type"] == "loss") {
      CHECK(line["loss"]["family"] == "subscriber");
      const auto count = line["loss"]["count"].get<std::uint64_t>();
      CHECK(seq == last + count);  // its own seq is the last one's that is missing
      CHECK(line["loss"]["last_boot_ns"] == seq);
      lost += count;
    } else {
      CHECK(seq == last + 1);
      ++got;
    }
    last = seq;
  }
  CHECK(lost > 0);
  CHECK(got + lost == kEvents);
  CHECK(house.subscribers.counts().lost == lost);
  CHECK(house.subscribers.counts().delivered == got);
}

TEST_CASE("subscribers: a loss is of the earliest and the latest time lost, in whatever order events came") {
  House house;
  const UniqueFd slow = house.reader();
  const auto line = std::make_shared<const std::string>(std::string(1 << 20, 'x') + "\n");
  std::uint64_t taken = 0;
  const auto take = [&](std::uint64_t at) { house.subscribers.take(an_exit().of(a_process(1, 1)).at(at), line); };
  for (; house.subscribers.counts().lost == 0; ++taken) {
    REQUIRE(taken < 100);
    take(500);  // the last of these is lost
  }
  for (const std::uint64_t at : {300, 700, 400}) take(at);
  std::string text(1 << 16, '\0');
  std::string all;
  for (bool more = true; more;) {
    house.subscribers.flush();
    more = false;
    for (ssize_t n = 0; (n = ::read(slow.get(), text.data(), text.size())) > 0; more = true)
      all.append(text, 0, static_cast<std::size_t>(n));
  }
  const std::size_t at = all.find("{");
  REQUIRE(at != std::string::npos);
  const json loss = json::parse(all.substr(at))["loss"];
  CHECK(loss["count"] == 4);
  CHECK(loss["first_boot_ns"] == 300);
  CHECK(loss["last_boot_ns"] == 700);
}

TEST_CASE("subscribers: a slow reader takes nothing from another, nor from events after it caught up") {
  House house;
  const UniqueFd slow = house.reader();
  const UniqueFd quick = house.reader();
  const std::uint64_t events = test::rounds(20'000);
  std::size_t quick_got = 0;
  for (std::uint64_t seq = 1; seq <= events; ++seq) {
    house.take(seq);
    if (seq % 256 == 0) quick_got += read_all(house, quick).size();
  }
  quick_got += read_all(house, quick).size();
  CHECK(quick_got == events);
  (void)read_all(house, slow);
  house.take(events + 1);
  const std::vector<json> after = read_all(house, slow);
  REQUIRE(after.size() == 1);
  CHECK(after[0]["seq"] == events + 1);
}

TEST_CASE("subscribers: a reader of one target hears of losses, which may be its own, and of nobody else's events") {
  House house;
  StreamFilter filter;
  filter.target = "t-1";
  const UniqueFd end = house.reader(filter);
  const auto send = [&](Event event, const char* name) {
    house.subscribers.take(event, std::make_shared<const std::string>("{\"is\":\"" + std::string(name) + "\"}\n"));
  };
  Event mine = an_exit().of(a_process(1, 1));
  mine.target = TargetRef{"t-1", "one"};
  Event other = mine;
  other.target = TargetRef{"t-2", "two"};
  Event loss;
  loss.body = LossBody{"exec", "ring-full", 3, 1, 2};
  send(mine, "mine");
  send(other, "other");
  send(loss, "loss");
  const std::vector<json> lines = read_all(house, end);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0]["is"] == "mine");
  CHECK(lines[1]["is"] == "loss");
}

TEST_CASE("subscribers: one that went away is forgotten, and its place is free again") {
  House house;
  std::vector<UniqueFd> ends;
  for (std::size_t n = 0; n < Subscribers::kMax; ++n) ends.push_back(house.reader());
  CHECK_FALSE(house.subscribers.add({}, [] { return true; }));
  ends.clear();
  house.take(64);  // flushed: the closed ends show
  CHECK(house.subscribers.size() == 0);
  CHECK(house.subscribers.add({}, [] { return true; }));
}

TEST_CASE("subscribers: the stream of a reader that is not allowed any more ends, another's goes on") {
  House house;
  bool welcome = true;
  const UniqueFd ends = std::move(*house.subscribers.add({}, [&welcome] { return welcome; }));
  const UniqueFd stays = house.reader();
  CHECK(house.subscribers.end_forbidden() == 0);
  welcome = false;
  CHECK(house.subscribers.end_forbidden() == 1);
  house.take(64);
  char byte = 0;
  CHECK(::read(ends.get(), &byte, 1) == 0);  // its end, and nothing before it
  CHECK(read_all(house, stays).size() == 1);
}
