// Event → line: exact for any bytes, parsed back with another JSON library.
#include "event/json.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "base/text.h"
#include "support/builders.h"
#include "support/catch.h"
#include "support/rounds.h"

using namespace aa;
using namespace aa::test;
using nlohmann::json;

namespace {

json parsed(const Event& event) {
  return json::parse(to_json(event));
}

std::string from_base64(const std::string& text) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned group = 0;
  int bits = 0;
  for (const char character : text) {
    if (character == '=') break;
    group = group << 6 | static_cast<unsigned>(alphabet.find(character));
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<char>(group >> bits & 0xFF));
  }
  return out;
}

// A reader's way back to the exact bytes.
std::string bytes_of(const json& object, const std::string& member) {
  const auto exact = object.find(member + "_base64");
  return exact == object.end() ? object.at(member).get<std::string>() : from_base64(exact->get<std::string>());
}

std::vector<std::string> list_of(const json& object, const std::string& member) {
  auto values = object.at(member).get<std::vector<std::string>>();
  const auto exact = object.find(member + "_base64");
  if (exact == object.end()) return values;
  REQUIRE(exact->size() == values.size());
  for (std::size_t at = 0; at < values.size(); ++at) {
    if (!exact->at(at).is_null()) values[at] = from_base64(exact->at(at).get<std::string>());
  }
  return values;
}

void check_exact(const std::vector<std::string>& argv, const std::string& path) {
  const std::string line = to_json(an_exec().argv(argv).filename(path).interpreter("i" + path).exe(path).cwd(path));
  REQUIRE(line.find('\n') == std::string::npos);
  REQUIRE(is_utf8(line));
  const json event = json::parse(line);
  const json& exec = event.at("exec");
  if (list_of(exec, "argv") != argv) FAIL(line);
  if (bytes_of(exec, "filename") != path || bytes_of(exec, "cwd") != path) FAIL(line);
  if (bytes_of(exec, "interpreter") != "i" + path || bytes_of(event.at("process"), "exe") != path) FAIL(line);
  if (exec.contains("cwd_base64") != !is_utf8(path)) FAIL(line);
}

std::string time_of(std::int64_t wall_ns) {
  Event event;
  event.wall_ns = wall_ns;
  event.body = GapBody{};
  return parsed(event).at("time").get<std::string>();
}

}  // namespace

TEST_CASE("json: members stand in the contract's order") {
  Event event = an_exec().of(a_process(4300, 98'123, "curl").child_of(a_process(4242, 9'000)).with_image(2));
  event.target = TargetRef{"6f0c", "claude"};
  CHECK(to_json(event).starts_with(
      R"({"v":1,"seq":0,"time":"1970-01-01T00:00:00.000000000Z","boot_ns":1000000,"type":"exec",)"
      R"("target":{"id":"6f0c","name":"claude"},"process":{"id":"4300-98123","pid":4300,"tid":4300,"ppid":4242,)"
      R"("parent_id":"4242-9000","uid":1000,"gid":1000,"comm":"curl","exe":"","image":2,"cgroup":""},"exec":{)"));
}

TEST_CASE("json: time is RFC 3339 in UTC with nine digits, before 1970 and on a leap day too") {
  CHECK(time_of(0) == "1970-01-01T00:00:00.000000000Z");
  CHECK(time_of(1'795'352'401'123'456'789) == "2026-11-22T13:00:01.123456789Z");
  CHECK(time_of(1'709'208'000'000'000'001) == "2024-02-29T12:00:00.000000001Z");
  CHECK(time_of(-1) == "1969-12-31T23:59:59.999999999Z");
  CHECK(time_of(std::numeric_limits<std::int64_t>::max()) == "2262-04-11T23:47:16.854775807Z");
  CHECK(time_of(std::numeric_limits<std::int64_t>::min()) == "1677-09-21T00:12:43.145224192Z");
}

TEST_CASE("json: an unknown parent has no id and ppid 0; a current one says so; ns_pid only where it differs") {
  Who who = a_process(7, 8);
  json process = parsed(an_exit().of(who)).at("process");
  CHECK(process.at("ppid") == 0);
  CHECK_FALSE(process.contains("parent_id"));
  CHECK_FALSE(process.contains("parent_source"));
  CHECK_FALSE(process.contains("ns_pid"));
  who.parent_source = ParentSource::current;
  who.ns_pid = 1;
  process = parsed(an_exit().of(who)).at("process");
  CHECK(process.at("parent_source") == "current");
  CHECK(process.at("ns_pid") == 1);
}

TEST_CASE("json: a mark that is not set is absent, except the three every exec has") {
  const json exec = parsed(an_exec().argv({"a"})).at("exec");
  CHECK(exec.size() == 7);
  CHECK(exec.at("argv_truncated") == false);
  CHECK(exec.at("memfd") == false);
  CHECK(exec.at("deleted") == false);
}

TEST_CASE("json: an exit tells code, signal and core dump apart") {
  const json coded = parsed(an_exit().code(255)).at("exit");
  CHECK(coded.at("code") == 255);
  CHECK(coded.at("signal") == 0);
  const json killed = parsed(an_exit().killed_by(11, true)).at("exit");
  CHECK(killed.at("code") == 0);
  CHECK(killed.at("signal") == 11);
  CHECK(killed.at("core_dumped") == true);
}

TEST_CASE("json: the largest numbers survive") {
  Event event;
  event.body = LossBody{"exec", "ring-full", UINT64_MAX, 1, UINT64_MAX};
  CHECK(parsed(event).at("loss").at("count") == UINT64_MAX);
  CHECK_FALSE(parsed(event).contains("process"));
}

TEST_CASE("json: hostile bytes come back exactly") {
  check_exact({}, "");
  check_exact({""}, "/");
  check_exact({"", "", ""}, "/a\nb\r\t\b\f\"\\\x01\x1F\x7F");
  check_exact({std::string("a\0b", 3)}, std::string("\0", 1));
  check_exact({"\xC0\xAF", "plain", "\xED\xA0\x80"}, "/overlong\xE0\x80\x80");
  check_exact({"cut \xF0\x9F\x98", "\xF4\x90\x80\x80"}, "\xFF");
  check_exact({"\xEF\xBF\xBD"}, "/a real U+FFFD \xEF\xBF\xBD");
  check_exact({"\xE2\x80\xA8\xE2\x80\xAE"}, "/\xF0\x9F\x98\x80");
}

TEST_CASE("json: the longest argv and the longest paths come back exactly") {
  check_exact({std::string(AA_ARGV_LIMIT - 1, 'x')}, "/" + std::string(4095, 'p'));
  check_exact({std::string(AA_ARGV_LIMIT - 1, '\xFF')}, std::string(4096, '\n'));
  if (test::sparse() > 1) return;
  check_exact(std::vector<std::string>(AA_ARGV_LIMIT, ""), std::string(4096, '\xC3'));
  check_exact(std::vector<std::string>(AA_ARGV_LIMIT / 2, "\xFF"), "/");
}

TEST_CASE("json: any bytes come back exactly") {
  std::mt19937 random(3);
  // Half of the bytes from those that decide something.
  const std::string telling("\0\n\"\\\x7F\x80\xBF\xC2\xE0\xED\xF0\xF4\xFF\xEF\xA0\x9F", 16);
  const auto bytes = [&] {
    std::string out(random() % 24, '\0');
    for (char& byte : out) byte = random() % 2 != 0 ? telling[random() % telling.size()] : static_cast<char>(random());
    return out;
  };
  for (std::uint64_t round = 0; round < test::rounds(5'000); ++round) {
    std::vector<std::string> argv(random() % 5);
    for (std::string& element : argv) element = bytes();
    check_exact(argv, bytes());
  }
}
