// Names and ids of event.h's values.
#include "event/event.h"

#include "support/builders.h"
#include "support/catch.h"

using namespace aa;
using namespace aa::test;

TEST_CASE("event: a process id is written pid-start and read back") {
  const ProcessId id{4242, 98'123'456'789};
  CHECK(id.text() == "4242-98123456789");
  CHECK(parse_process_id("4242-98123456789") == id);
  CHECK(parse_process_id("4294967295-18446744073709551615") == ProcessId{UINT32_MAX, UINT64_MAX});
}

TEST_CASE("event: a process id with anything else in it is none") {
  for (const std::string_view text : {"", "-", "1", "1-", "-1", "1-2-3", " 1-2", "1-2 ", "+1-2", "1--2", "0x1-2",
                                      "01-2", "1-02", "4294967296-1", "1-18446744073709551616", "a-b"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_process_id(text).has_value());
  }
}

TEST_CASE("event: every body has its type's name") {
  CHECK(type_name(ForkBody{}) == "fork");
  CHECK(type_name(ExecBody{}) == "exec");
  CHECK(type_name(ExitBody{}) == "exit");
  CHECK(type_name(AlertBody{}) == "alert");
  CHECK(type_name(LossBody{}) == "loss");
  CHECK(type_name(GapBody{}) == "gap");
  CHECK(type_name(TargetBody{}) == "target");
  CHECK(type_name(ProbeBody{}) == "probe");
  CHECK(type_name(RefusedBody{}) == "refused");
  CHECK(type_name(AdoptedBody{}) == "adopted");
}

TEST_CASE("event: enumerators have the contract's names") {
  CHECK(name_of(Severity::info) == "info");
  CHECK(name_of(Severity::critical) == "critical");
  CHECK(name_of(ProbeState::attached) == "attached");
  CHECK(name_of(ProbeState::unavailable) == "unavailable");
  CHECK(name_of(TargetChange::added) == "added");
  CHECK(name_of(TargetChange::adopted) == "adopted");
  for (const Severity severity : {Severity::info, Severity::warning, Severity::critical}) {
    CHECK(parse_severity(name_of(severity)) == severity);
  }
  CHECK_FALSE(parse_severity("fatal").has_value());
}
