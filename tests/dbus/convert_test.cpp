#include "control/convert.h"

#include <string>
#include <vector>

#include "support/catch.h"

using namespace aa;
using Texts = std::vector<std::string>;

namespace {

std::size_t size_of(const Texts& argv) {
  std::size_t total = 0;
  for (const auto& argument : argv) total += argument.size() + 1;
  return total;
}

bool ends_in_ellipsis(const Texts& argv) {
  const std::string dots = "…";
  return !argv.empty() && argv.back().size() >= dots.size() &&
         argv.back().compare(argv.back().size() - dots.size(), dots.size(), dots) == 0;
}

}  // namespace

TEST_CASE("convert: an argv that fits is left alone, to the last byte") {
  const Texts argv = {"0123", "5678"};
  CHECK(short_argv(argv, false, 10) == argv);
  CHECK(short_argv(argv, false, 9) == Texts{"0123", "…"});
  CHECK(short_argv({}, false, 10).empty());
}

TEST_CASE("convert: an argv cut when it was recorded ends in … even when it fits") {
  CHECK(short_argv({"ab"}, true, 4096) == Texts{"ab…"});
  CHECK(short_argv({}, true, 4096) == Texts{"…"});
}

TEST_CASE("convert: a cut argv stays within its limit, whole characters, whatever its arguments") {
  const std::vector<Texts> many = {Texts(10'000, ""),
                                   Texts(10'000, "a"),
                                   Texts(500, "äöü€"),
                                   {std::string(9'999, 'x')},
                                   {std::string(4'090, 'x'), "", "", "", "", "", "", "", ""},
                                   Texts(40, std::string(200, '\xff'))};
  for (const auto& argv : many) {
    for (std::size_t limit = 4'000; limit < 4'100; ++limit) {
      const Texts cut = short_argv(argv, false, limit);
      if (cut == argv) continue;
      REQUIRE(size_of(cut) <= limit);
      REQUIRE(size_of(cut) + 16 > limit);
      REQUIRE(ends_in_ellipsis(cut));
    }
  }
}

TEST_CASE("convert: what a path rule takes on the wire is known before its row is made") {
  PathRule plain;
  plain.pattern = "/etc/shadow";
  PathRule rich;
  rich.pattern = "/srv/\xff/\xc3\xa9";
  rich.ops = op_bit(FileOp::read) | op_bit(FileOp::unlink);
  rich.severity = Severity::critical;
  rich.category = "ssh";
  rich.target = "caf\xe9";
  rich.layer = RuleLayer::file;
  for (const PathRule& rule : {plain, rich}) {
    const RuleRow row = rule_row(rule);
    const auto text = [](const std::string& value) { return 3 + 4 + value.size() + 1; };
    CHECK(wire_size(rule) ==
          7 + text(std::get<0>(row)) + text(std::get<1>(row)) + text(std::get<2>(row)) + wire_size(std::get<3>(row)));
  }
}
