// Bytes a program chose, made safe to show: what is UTF-8, what becomes of the rest.
#include "base/text.h"

#include <random>

#include "support/catch.h"

using aa::base64;
using aa::for_terminal;
using aa::is_utf8;
using aa::to_bus_string;
using aa::to_utf8;

namespace {

constexpr std::string_view kFffd = "\xEF\xBF\xBD";

std::string fffd(int times) {
  std::string out;
  while (times-- > 0) out += kFffd;
  return out;
}

}  // namespace

TEST_CASE("text: well-formed UTF-8 of every length is UTF-8 and stays as it is") {
  for (const std::string_view text : {"", "plain", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                                      "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    CAPTURE(text);
    CHECK(is_utf8(text));
    CHECK(to_utf8(text) == text);
  }
  CHECK(is_utf8(std::string_view("a\0b", 3)));
}

TEST_CASE("text: overlong forms, surrogates and code points above U+10FFFF are not UTF-8") {
  for (const std::string_view text :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xED\xA0\x80",
        "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF", "\x80", "\xBF"}) {
    CAPTURE(base64(text));
    CHECK_FALSE(is_utf8(text));
    CHECK(is_utf8(to_utf8(text)));
    CHECK(to_utf8(text) == fffd(static_cast<int>(text.size())));  // none of these begins a well-formed sequence
  }
}

TEST_CASE("text: a sequence cut short is replaced once, as a maximal subpart") {
  CHECK(to_utf8("a\xE2\x82") == "a" + fffd(1));
  CHECK(to_utf8("\xF0\x9F\x98") == fffd(1));
  CHECK(to_utf8("\xF0\x9F\x98z") == fffd(1) + "z");
  // The example of Unicode's own table 3-8.
  CHECK(to_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64") ==
        "a" + fffd(3) + "b" + fffd(1) + "c" + fffd(2) + "d");
}

TEST_CASE("text: a D-Bus string holds no NUL") {
  CHECK(to_bus_string(std::string_view("a\0b", 3)) == "a" + fffd(1) + "b");
  CHECK(to_bus_string("\xFFz") == fffd(1) + "z");
  CHECK(to_utf8(std::string_view("a\0b", 3)) == std::string_view("a\0b", 3));
}

TEST_CASE("text: nothing that moves, colours or reorders reaches a terminal") {
  CHECK(for_terminal("caf\xC3\xA9 \\n \xF0\x9F\x98\x80") == "caf\xC3\xA9 \\n \xF0\x9F\x98\x80");
  CHECK(for_terminal("\x1B[31m\r\n\t\x7F") == "\\x1b[31m\\x0d\\x0a\\x09\\x7f");
  CHECK(for_terminal("\xC2\x9B") == "\\xc2\\x9b");  // C1 control sequence introducer
  for (const std::string_view bidi : {"\xE2\x80\xAA", "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x81\xA9", "\xE2\x80\x8E",
                                      "\xE2\x80\x8F", "\xD8\x9C", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
    CHECK(for_terminal(bidi).starts_with("\\x"));
    CHECK(for_terminal(bidi).size() == bidi.size() * 4);
  }
  CHECK(for_terminal("\xE2\x80\x90") == "\xE2\x80\x90");  // a hyphen, next door to them
  CHECK(for_terminal("\xE2\x82") == "\\xe2\\x82");
}

TEST_CASE("text: a path is a folder and a name in it") {
  const auto parts = [](const std::string& path) {
    return aa::folder_of(path) + " " + std::string(aa::last_component(path));
  };
  CHECK(parts("/a/b") == "/a b");
  CHECK(parts("/a") == "/ a");
  CHECK(parts("a") == ". a");
  CHECK(parts("/a/") == "/a ");
}

TEST_CASE("text: base64 is RFC 4648's, with padding") {
  CHECK(base64("").empty());
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64(std::string_view("\x00\xFF\xFE", 3)) == "AP/+");
}

TEST_CASE("text: any bytes become UTF-8, and only what was not UTF-8 changes") {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 12, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string text = to_utf8(bytes);
    if (!is_utf8(text) || (text == bytes) != is_utf8(bytes) || !is_utf8(for_terminal(bytes))) FAIL(base64(bytes));
  }
}
