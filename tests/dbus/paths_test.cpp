// The path rules over the bus: set whole or not at all, shown, tried out.
#include "control_fixture.h"

using namespace aa;
using namespace aa::test;

namespace {

template <class Call>
std::string name_of_failure(Call&& call) {
  return failure_of(call).name;
}

struct WithFiles : Fixture {
  WithFiles() {
    house.on_loop([&] { house.take(house.monitor().on_probe(a_file_probe(ProbeState::standby))); });
  }

  // As the configuration does: of any bytes and in any number.
  void put(std::vector<PathRule> rules) {
    house.on_loop([&] { house.take(house.monitor().apply(SetPathRules{0, RuleLayer::file, std::move(rules)})); });
  }

  std::vector<std::string> patterns() {
    std::vector<std::string> out;
    const auto answer = client->GetPathFilter();
    for (const auto& row : std::get<1>(answer))
      out.push_back(std::get<1>(row) + " " + std::get<0>(row) + " " + std::get<2>(row));
    return out;
  }
};

}  // namespace

TEST_CASE("control: UpdatePathFilter replaces the running layer and answers with its generation") {
  WithFiles f;
  CHECK(f.client->PathFilterGeneration() == 0);
  CHECK(f.client->UpdatePathFilter({{"/etc/shadow", "deny"}, {"/srv/", "allow"}}) == 1);
  CHECK(f.patterns() == std::vector<std::string>{"deny /etc/shadow runtime", "allow /srv/ runtime"});
  CHECK(f.client->UpdatePathFilter({{"/opt/x", "deny"}}) == 2);
  CHECK(f.patterns() == std::vector<std::string>{"deny /opt/x runtime"});
  CHECK(f.client->PathFilterGeneration() == 2);
  CHECK(f.client->UpdatePathFilter({}) == 3);
  CHECK(f.patterns().empty());
}

TEST_CASE("control: a bad set changes nothing and the error names the pattern") {
  WithFiles f;
  f.client->UpdatePathFilter({{"/etc/shadow", "deny"}});
  const auto refused = [&](const std::vector<PatternRow>& rows) {
    return failure_of([&] { f.client->UpdatePathFilter(rows); });
  };
  const auto bad = refused({{"/ok", "deny"}, {"/a/[b", "deny"}});
  CHECK(bad.name == "InvalidPattern");
  CHECK(bad.sentence.find("rule 2") != std::string::npos);
  CHECK(bad.sentence.find("/a/[b") != std::string::npos);
  CHECK(refused({{"/a", "forbid"}}).name == "InvalidPattern");
  CHECK(refused({{"", "deny"}}).name == "InvalidPattern");
  CHECK(f.patterns() == std::vector<std::string>{"deny /etc/shadow runtime"});
  CHECK(f.client->PathFilterGeneration() == 1);
}

TEST_CASE("control: SetPathRules keeps every option, and refuses those there are not") {
  WithFiles f;
  const Dict options = {{"ops", sdbus::Variant{std::vector<std::string>{"read", "open"}}},
                        {"severity", sdbus::Variant{std::string("critical")}},
                        {"category", sdbus::Variant{std::string("ssh")}},
                        {"target", sdbus::Variant{std::string("claude")}}};
  CHECK(f.client->SetPathRules({{"~/.ssh/", "deny", options}}) == 1);
  const auto rows = std::get<1>(f.client->GetPathFilter());
  REQUIRE(rows.size() == 1);
  const Dict& kept = std::get<3>(rows[0]);
  CHECK(value<std::vector<std::string>>(kept, "ops") == std::vector<std::string>{"open", "read"});
  CHECK(value<std::string>(kept, "severity") == "critical");
  CHECK(value<std::string>(kept, "category") == "ssh");
  CHECK(value<std::string>(kept, "target") == "claude");
  const auto refused = [&](const char* key, const sdbus::Variant& option) {
    return name_of_failure([&] { f.client->SetPathRules({{"/x", "deny", Dict{{key, option}}}}); });
  };
  CHECK(refused("colour", sdbus::Variant{std::string("red")}) == "InvalidArgument");
  CHECK(refused("ops", sdbus::Variant{std::vector<std::string>{"peek"}}) == "InvalidArgument");
  CHECK(refused("ops", sdbus::Variant{std::string("read")}) == "InvalidArgument");
  CHECK(refused("severity", sdbus::Variant{std::string("high")}) == "InvalidArgument");
  CHECK(f.client->PathFilterGeneration() == 1);
}

TEST_CASE("control: TestPath says which rule would decide, as text alone") {
  WithFiles f;
  f.client->UpdatePathFilter({{"/etc/shadow", "deny"}, {"/srv/", "deny"}, {"/srv/pub/", "allow"}});
  const auto verdict = [&](const char* path) {
    const auto answer = f.client->TestPath(path);
    return std::get<0>(answer) + " " + std::get<1>(answer);
  };
  CHECK(verdict("/etc/shadow") == "deny /etc/shadow");
  CHECK(verdict("/etc/../etc/shadow") == "deny /etc/shadow");
  CHECK(verdict("/srv/pub/x") == "allow /srv/pub/");
  CHECK(verdict("/tmp") == "none ");
  CHECK(name_of_failure([&] { f.client->TestPath("etc/shadow"); }) == "InvalidArgument");
}

TEST_CASE("control: without a program that sees files, rules are refused and nothing is stored") {
  Fixture f;
  CHECK(name_of_failure([&] { f.client->UpdatePathFilter({{"/etc/shadow", "deny"}}); }) == "NotSupported");
  CHECK(name_of_failure([&] { f.client->SetPathRules({}); }) == "NotSupported");
  CHECK(name_of_failure([&] { f.client->GetPathFilter(); }) == "NotSupported");
  CHECK(f.client->PathFilterGeneration() == 0);
}

TEST_CASE("control: ten thousand rules fit into one call") {
  WithFiles f;
  std::vector<PatternRow> rows;
  for (int i = 0; i < 10'000; ++i) rows.emplace_back("/srv/data/" + std::to_string(i), "deny");
  CHECK(f.client->UpdatePathFilter(rows) == 1);
  CHECK(std::get<1>(f.client->GetPathFilter()).size() == 10'000);
}

TEST_CASE("control: a rule that is not UTF-8 is listed with its exact bytes beside its text") {
  WithFiles f;
  PathRule rule;
  rule.pattern = "/srv/\xff/";
  rule.target = "caf\xe9";
  PathRule plain;
  plain.pattern = "/srv/\xc3\xa9";
  f.put({rule, plain});
  const auto rows = std::get<1>(f.client->GetPathFilter());
  REQUIRE(rows.size() == 2);
  CHECK(std::get<0>(rows[0]) == "/srv/\xef\xbf\xbd/");
  const auto bytes = [&](const char* key) {
    const auto exact = value<std::vector<std::uint8_t>>(std::get<3>(rows[0]), key);
    return std::string(exact.begin(), exact.end());
  };
  CHECK(bytes("pattern_bytes") == rule.pattern);
  CHECK(bytes("target_bytes") == rule.target);
  CHECK(value<std::string>(std::get<3>(rows[0]), "target") == "caf\xef\xbf\xbd");
  CHECK(std::get<0>(rows[1]) == plain.pattern);
  CHECK(std::get<3>(rows[1]).count("pattern_bytes") == 0);
}

TEST_CASE("control: path rules of up to 16 MiB are listed, more are refused with what to do") {
  WithFiles f;
  const auto long_rules = [](std::size_t count, const std::string& letter) {
    std::string name = "/", below;
    for (int n = 0; n < 50; ++n) name += letter;
    while (below.size() < 3'900) below += name;
    std::vector<PathRule> rules(count);
    for (std::size_t i = 0; i < count; ++i) rules[i].pattern = "/" + std::to_string(i) + below;
    return rules;
  };
  f.put(long_rules(4'100, "x"));
  CHECK(std::get<1>(f.client->GetPathFilter()).size() == 4'100);
  f.put(long_rules(4'300, "x"));
  const auto refused = failure_of([&] { f.client->GetPathFilter(); });
  CHECK(refused.name == "LimitReached");
  for (const char* part : {"4300 path rules", "16 MiB", "paths.include", "fewer"}) {
    INFO(part << " in " << refused.sentence);
    CHECK(refused.sentence.find(part) != std::string::npos);
  }
  f.put(long_rules(1'200, "\xff"));  // in text three times as long, and exact beside it
  CHECK(name_of_failure([&] { f.client->GetPathFilter(); }) == "LimitReached");
  f.put({});
  CHECK(f.patterns().empty());
}
