// What the account of `aactl run` ends with: files, and conversations over TLS.
#include <nlohmann/json.hpp>

#include "support/catch.h"
#include "touched.h"

using namespace aa;
using nlohmann::json;

namespace {

json file(const char* op, const char* path, json more = json::object()) {
  json body = {{"op", op}, {"path", path}, {"result", 0}};
  body.update(more);
  return {{"type", "file"}, {"process", {{"id", "1-1"}}}, {"file", body}};
}

json tls(const char* process, int connection, const char* direction, int length, const char* peer = nullptr) {
  json body = {{"direction", direction}, {"connection", connection}, {"length", length}};
  if (peer != nullptr) body["peer"] = peer;
  return {{"type", "tls"}, {"process", {{"id", process}, {"exe", "/usr/bin/curl"}}}, {"tls", body}};
}

std::string told(const std::vector<json>& events, const Style& style = {}) {
  Touched touched;
  for (const json& event : events) touched.add(event);
  return touched.text(style);
}

}  // namespace

TEST_CASE("touched: a command that used no file and spoke with nobody has no line") {
  CHECK(told({}).empty());
  CHECK(told({{{"type", "exec"}}, file("open", "/etc/passwd"), file("mmap", "/lib/libc.so.6")}).empty());
}

TEST_CASE("touched: files that were read are counted once, changed ones are told with what was done to them") {
  CHECK(told({file("read", "/a"), file("read", "/a"), file("read", "/b"), file("create", "/c"), file("write", "/c"),
              file("write", "/c"), file("rename", "/c", {{"path2", "/d e"}}), file("unlink", "/d e"),
              file("symlink", "target", {{"path2", "/link"}}), file("link", "/a", {{"path2", "/hard"}}),
              file("open", "/log", {{"flags", {"O_WRONLY", "O_TRUNC"}}})}) ==
        "2 files read, 6 changed:\n"
        "  /c  made, written\n"
        "  /c → '/d e'  moved\n"
        "  '/d e'  removed\n"
        "  /link  made\n"
        "  /hard  linked\n"
        "  /log  emptied\n");
  CHECK(told({file("read", "/a")}) == "1 file read, 0 changed\n");
}

TEST_CASE("touched: what failed changed nothing; pipes, terminals and /dev/null are nobody's files") {
  CHECK(told({file("unlink", "/a", {{"result", -13}}), file("write", "pipe:[1]", {{"flags_path", {"detached"}}}),
              file("write", "/dev/null"), file("write", "/dev/pts/0")})
            .empty());
}

TEST_CASE("touched: no name that a program chose reaches the terminal raw, and lines are as wide as it at most") {
  CHECK(told({file("create", "/\x1b[2J")}) == "0 files read, 1 changed:\n  $'/\\x1b[2J'  made\n");
  CHECK(told({file("create", "/long/way/down")}, {.color = false, .width = 12}) ==
        "0 files read, 1 changed:\n  /long/way…\n");
}

TEST_CASE("touched: ten are told of many, and more than are remembered are \"or more\"") {
  std::vector<json> events;
  for (std::size_t i = 0; i < Touched::kRemembered + 5; ++i)
    events.push_back(file("create", ("/" + std::to_string(i)).c_str()));
  const std::string text = told(events);
  CHECK(text.starts_with("0 files read, 20000 or more changed:\n  /0  made\n"));
  CHECK(text.ends_with("  /9  made\n  and 19990 more\n"));
}

TEST_CASE("touched: with whom a program spoke over TLS is told once, with the bytes of all its connections") {
  CHECK(told({tls("1-1", 1, "send", 80, "[::1]:443"), tls("1-1", 1, "recv", 5211, "[::1]:443"),
              tls("1-1", 2, "send", 20), tls("1-1", 2, "recv", 0, "[::1]:443"), tls("2-1", 1, "recv", 1)}) ==
        "3 connections over TLS:\n"
        "  curl with [::1]:443  100 bytes sent, 5.2 kB received\n"
        "  curl with somebody unknown  0 bytes sent, 1 byte received\n");
}
