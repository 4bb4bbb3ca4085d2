// Captures: what is recorded replays to the same, and what is no capture is refused with a sentence.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "event/json.h"
#include "sink/recorder.h"
#include "source/replay_source.h"
#include "support/catch.h"
#include "support/rounds.h"
#include "support/scratch.h"
#include "support/session.h"

using namespace aa;
using namespace aa::test;

namespace {

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Replay {
  std::string lines;
  std::string error;  // without "replay FILE: "
};

Replay replay(const std::string& bytes) {
  const Scratch scratch;
  const std::string path = scratch.file("x.aacap");
  std::ofstream(path, std::ios::binary) << bytes;
  std::FILE* out = std::tmpfile();
  const Status done = replay_capture(path, ::fileno(out));
  std::fseek(out, 0, SEEK_SET);
  Replay result;
  for (int c; (c = std::fgetc(out)) != EOF;) result.lines.push_back(static_cast<char>(c));
  std::fclose(out);
  if (!done) result.error = done.error().text().substr(("replay " + path + ": ").size());
  return result;
}

std::string live_lines() {
  Monitor monitor(session_settings());
  std::string out;
  for (const Input& input : session_inputs()) {
    for (const Event& event : feed(monitor, input).events) out += to_json(event) + "\n";
  }
  return out;
}

void check_comes_back(const Input& input) {
  const std::string bytes = capture_head() + record_of(input);
  CaptureReader reader(bytes);
  REQUIRE(reader.head());
  const auto back = input_of(*reader.next());
  REQUIRE(back);
  CHECK(record_of(*back) == record_of(input));
}

}  // namespace

TEST_CASE("capture: what was recorded replays to the very lines of the live run, every time") {
  const std::string capture = session_capture();
  const Replay first = replay(capture);
  CHECK(first.error.empty());
  CHECK_FALSE(first.lines.empty());
  CHECK(first.lines == live_lines());
  CHECK(first.lines == replay(capture).lines);
}

TEST_CASE("capture: a recorder writes the same bytes, into a new file only") {
  const Scratch scratch;
  const std::string path = scratch.file("new.aacap");
  {
    auto recorder = Recorder::open(path, session_settings());
    REQUIRE(recorder);
    for (const Input& input : session_inputs()) {
      (*recorder)->take(input);
      CHECK((*recorder)->settle());
    }
    (*recorder)->finish();
  }
  CHECK(read(path) == session_capture());
  CHECK_FALSE(Recorder::open(path, session_settings()));
  CHECK(read(path) == session_capture());
}

TEST_CASE("capture: a recorder whose file takes no more gives up and says why") {
  const Scratch scratch;
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1024, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  auto recorder = Recorder::open(scratch.file("full.aacap"), session_settings());
  REQUIRE(recorder);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while ((*recorder)->settle() && std::chrono::steady_clock::now() < end) {
    for (const Input& input : session_inputs()) (*recorder)->take(input);
  }
  CHECK((*recorder)->trouble() == "the file cannot be written");
  recorder = Error{"let go", 0, ""};
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK_FALSE(replay(read(scratch.file("full.aacap"))).error.empty());
}

TEST_CASE("capture: every input comes back as it went in") {
  for (const Input& input : session_inputs()) check_comes_back(input);
}

TEST_CASE("capture: rules of every verdict and layer, and what was judged by them, come back") {
  for (const Verdict verdict : {Verdict::allow, Verdict::deny, Verdict::watch}) {
    for (const RuleLayer layer : {RuleLayer::file, RuleLayer::runtime, RuleLayer::imported}) {
      SetPathRules rules = session_rules();
      rules.layer = rules.rules[0].layer = layer;
      rules.rules[0].verdict = verdict;
      Event judged = session_read(a_process(1, 2, "x"), "/x", 1);
      std::get<FileBody>(judged.body).verdict = verdict;
      for (const Input& input : {Input(Command(rules)), Input(judged)}) check_comes_back(input);
    }
  }
}

TEST_CASE("replay: what is no capture is refused with one sentence") {
  const std::string good = session_capture();
  CHECK(replay("").error == "the file is empty: it is no capture");
  CHECK(replay("{\"v\":1}\n").error == "it does not begin as a capture does");
  CHECK(replay("aa-ebpfd cap").error == "the capture ends within its head");
  std::string other = good;
  other[capture_head().size() - 1] = 99;
  CHECK(replay(other).error ==
        "the capture has version 99; this program reads version " + std::to_string(aa::kCaptureVersion));
}

TEST_CASE("replay: a capture cut anywhere is told, with the lines before the cut") {
  const std::string good = session_capture();
  const std::string all = replay(good).lines;
  for (std::size_t length = capture_head().size(); length < good.size(); length += test::sparse()) {
    const Replay cut = replay(good.substr(0, length));
    INFO(length);
    CHECK_FALSE(cut.error.empty());
    CHECK(all.starts_with(cut.lines));
  }
  const std::size_t end = capture_end(0).size();
  CHECK(replay(good.substr(0, good.size() - end)).error ==
        "the capture ends at byte " + std::to_string(good.size() - end) + " without its end mark: it was cut after " +
            std::to_string(1 + session_inputs().size()) + " records");
}

TEST_CASE("replay: a record longer than the file, a wrong end mark, and bytes behind it are told with their place") {
  std::string longer = capture_head() + record_of(session_settings());
  const std::string at = std::to_string(longer.size());
  longer += std::string("\xff\xff\x00\x00\x02", 5) + "abc";
  CHECK(replay(longer).error == "the record at byte " + at + " says it has 65535 bytes, but only 3 are left");
  const std::string settings = capture_head() + record_of(session_settings());
  CHECK(replay(settings + capture_end(7)).error ==
        "the record at byte " + at + " is an end mark that does not fit: 1 records are before it");
  CHECK(replay(settings + capture_end(1) + "xx").error == "2 bytes follow the end mark at byte " + at);
  CHECK(replay(settings + capture_record(2, "\x09")).error ==
        "the record at byte " + at + " does not hold what it should: it is damaged");
  CHECK(replay(capture_head() + capture_end(0)).error ==
        "the record at byte 18 is not the settings a capture begins with");
  CHECK(replay(settings + record_of(session_settings())).error == "the record at byte " + at + " is not an input");
}

TEST_CASE("replay: no single damaged byte ends it otherwise than with lines or a sentence") {
  const std::string good = session_capture();
  for (std::size_t at = 0; at < good.size(); at += test::sparse()) {
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    CHECK_NOTHROW(replay(damaged));
  }
}

TEST_CASE("replay: a missing file and a folder are refused by name") {
  CHECK(replay_capture("/nonexistent/x", 1).error().text().find("/nonexistent/x") != std::string::npos);
  CHECK(replay_capture("/", 1).error().text().find("it is not a file") != std::string::npos);
}
