// Targets: ids, names, levels, and the kernel's slots.
#include "state/targets.h"

#include <set>

#include "state/slot_table.h"
#include "support/catch.h"

using namespace aa;

namespace {
constexpr const char* kBoot = "3ad1f7a4-5a6e-4f5e-9d26-8e3a1c1f0b77";
}

TEST_CASE("targets: an id is a version 5 UUID in lower case, the same each time") {
  const std::string id = target_id(kBoot, {4242, 98123});
  REQUIRE(id.size() == 36);
  CHECK(id[14] == '5');
  CHECK(id == target_id(kBoot, {4242, 98123}));
  CHECK(id == "2b014e91-94e3-582f-b50a-cce053cbc75c");
}

TEST_CASE("targets: another root, another start or another boot gives another id") {
  const std::set<std::string> ids{target_id(kBoot, {4242, 98123}), target_id(kBoot, {4242, 98124}),
                                  target_id(kBoot, {4243, 98123}),
                                  target_id("00000000-0000-0000-0000-000000000001", {4242, 98123})};
  CHECK(ids.size() == 4);
}

TEST_CASE("targets: ordinary names pass") {
  for (const char* name : {"a", "claude", "build 7", "42nd", "Grüße", "a/b:c"}) {
    INFO(name);
    CHECK_FALSE(check_target_name(name));
  }
  CHECK_FALSE(check_target_name(std::string(128, 'x')));
}

TEST_CASE("targets: a name that could be taken for something else, or cannot be shown, is refused") {
  for (const std::string& name :
       {std::string(), std::string(129, 'x'), std::string("4242"), std::string("3AD1F7A4-5a6e-4f5e-9d26-8e3a1c1f0b77"),
        std::string("a\nb"), std::string("a\x7f"), std::string("a\xc2\x85"), std::string("\xff"),
        std::string("a\0b", 3)}) {
    INFO(name);
    const auto refusal = check_target_name(name);
    REQUIRE(refusal);
    CHECK(refusal->fault == Fault::invalid_argument);
    CHECK(refusal->sentence.find('\n') == std::string::npos);
  }
}

TEST_CASE("targets: every level's name is read back as that level") {
  for (const TlsLevel level : {TlsLevel::off, TlsLevel::metadata, TlsLevel::redacted, TlsLevel::full}) {
    CHECK(parse_tls_level(name_of(level)) == level);
  }
  CHECK_FALSE(parse_tls_level("Full"));
  CHECK_FALSE(parse_tls_level(""));
  CHECK(name_of(TargetSource::config) == "config");
}

TEST_CASE("slots: 255 rows can be taken, never row 0, and no slot twice") {
  SlotTable slots;
  std::set<std::uint32_t> seen;
  while (const auto slot = slots.take()) {
    CHECK(SlotTable::row_of(*slot) != 0);
    seen.insert(*slot);
  }
  CHECK(seen.size() == 255);
  slots.give_back(*seen.begin());
  const auto again = slots.take();
  REQUIRE(again);
  CHECK(SlotTable::row_of(*again) == SlotTable::row_of(*seen.begin()));
  CHECK_FALSE(seen.contains(*again));
}

TEST_CASE("slots: a freed row rests until all others had their turn") {
  SlotTable slots;
  const std::uint32_t first = *slots.take();
  slots.give_back(first);
  CHECK(SlotTable::row_of(*slots.take()) != SlotTable::row_of(first));
}

TEST_CASE("slots: an owner is known until its row had two more owners") {
  SlotTable slots;
  const std::uint32_t row = 9;
  for (std::uint32_t generation = 1; generation <= 4; ++generation) {
    slots.own({generation << 8 | row, generation, {"id", "name"}, 0});
  }
  CHECK(slots.owner(1 << 8 | row) == nullptr);
  REQUIRE(slots.owner(2 << 8 | row) != nullptr);
  CHECK(slots.owner(2 << 8 | row)->key == 2);
  CHECK(slots.owner(4 << 8 | row)->key == 4);
}
