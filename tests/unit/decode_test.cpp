// A record is untrusted until every length in it was checked.
#include "event/decode.h"

#include <random>

#include "event/json.h"
#include "support/builders.h"
#include "support/catch.h"
#include "support/rounds.h"

using namespace aa;
using namespace aa::test;

namespace {

const Who kAgent = a_process(4242, 9'000, "agent");
const Who kCurl = a_process(4300, 98'123, "curl").child_of(kAgent).with_image(2);

Event decoded(const Bytes& record) {
  auto result = decode(record);
  if (!result) FAIL(result.error().text());
  return std::move(*result);
}

std::string refusal(const Bytes& record) {
  const auto result = decode(record);
  return result ? "" : result.error().text();
}

// Events have no ==; their lines say everything a sink can show, the slot apart.
void check_same(const Event& got, const Event& wanted) {
  CHECK(to_json(got) == to_json(wanted));
  CHECK(got.slot == wanted.slot);
  CHECK(got.body.index() == wanted.body.index());
  CHECK(got.process->cgroup_id == wanted.process->cgroup_id);
  CHECK(got.process->ns_pid == wanted.process->ns_pid);
}

ExecBuilder full_exec() {
  return an_exec()
      .of(kCurl)
      .at(100'000)
      .in_slot(0x301)
      .argv({"curl", "", "-s"})
      .filename("./curl")
      .interpreter("/bin/sh")
      .exe("/usr/bin/curl")
      .cwd("/home");
}

std::vector<Bytes> one_of_each() {
  return {a_fork().of(kAgent).child(kCurl).record(), a_refusal().of(kAgent).child(kCurl).record(),
          an_adoption().of(kCurl).record(),          full_exec().record(),
          full_exec().failed_with(2).record(),       an_exit().of(kCurl).code(3).record()};
}

template <class T>
Bytes with_exec_field(std::size_t offset, T value) {
  Bytes record = full_exec().record();
  patch(record, offset, value);
  return record;
}

}  // namespace

TEST_CASE("decode: a record of each kind gives back what the kernel put in") {
  const auto exit = an_exit().of(kCurl).at(100'000).killed_by(11, true);
  check_same(decoded(full_exec().record()), full_exec());
  check_same(decoded(full_exec().failed_with(13).record()), full_exec().failed_with(13));
  check_same(decoded(exit.record()), exit);
  check_same(decoded(a_fork().of(kAgent).child(kCurl).record()), a_fork().of(kAgent).child(kCurl));
  check_same(decoded(an_adoption().of(kCurl).record()), an_adoption().of(kCurl));
  const Event refused = decoded(a_refusal().of(kAgent).child(kCurl).record());
  CHECK(std::get<RefusedBody>(refused.body).child == kCurl.id);
}

TEST_CASE("decode: every mark of an exec arrives alone") {
  const std::vector<bool ExecBody::*> marks = {
      &ExecBody::argv_truncated,       &ExecBody::memfd,       &ExecBody::deleted,    &ExecBody::exe_truncated,
      &ExecBody::cwd_truncated,        &ExecBody::cwd_deleted, &ExecBody::stdin_inet, &ExecBody::filename_truncated,
      &ExecBody::interpreter_truncated};
  for (bool ExecBody::*mark : marks) {
    const auto exec = full_exec().marked([&](ExecBody& body) { body.*mark = true; });
    check_same(decoded(exec.record()), exec);
  }
  const auto unreadable = full_exec().argv({}).marked([](ExecBody& body) { body.argv_unreadable = true; });
  check_same(decoded(unreadable.record()), unreadable);
}

TEST_CASE("decode: an exec names the pipes it stands between and the file it runs") {
  const auto exec = full_exec().between_pipes(0x8'0000'0001, 0xFFFF'FFFF'FFFF).marked([](ExecBody& body) {
    body.exe_ino = 1ull << 40;
    body.exe_dev = 0x800'001;
  });
  const auto body = std::get<ExecBody>(decoded(exec.record()).body);
  CHECK(body.stdin_pipe == 0x8'0000'0001);
  CHECK(body.stdout_pipe == 0xFFFF'FFFF'FFFF);
  CHECK(body.exe_ino == 1ull << 40);
  CHECK(body.exe_dev == 0x800'001);
}

TEST_CASE("decode: a record of any length short of its own is refused") {
  for (const Bytes& whole : one_of_each()) {
    REQUIRE(decode(whole).has_value());
    for (std::size_t size = 0; size < whole.size(); ++size) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      if (decode(cut).has_value()) FAIL("accepted " << size << " of " << whole.size());
      // …also when its header agrees to the shorter length.
      if (size < sizeof(aa_header)) continue;
      patch(cut, offsetof(aa_header, size), static_cast<std::uint32_t>(size));
      if (decode(cut).has_value()) FAIL("accepted " << size << " of " << whole.size() << " with a lying header");
    }
  }
}

TEST_CASE("decode: a record one byte too long is refused") {
  for (Bytes record : one_of_each()) {
    record.push_back(std::byte{0});
    CHECK_FALSE(decode(record).has_value());
    patch(record, offsetof(aa_header, size), static_cast<std::uint32_t>(record.size()));
    CHECK_FALSE(decode(record).has_value());
  }
}

TEST_CASE("decode: a header whose size is not the record's own is refused") {
  for (const Bytes& whole : one_of_each()) {
    for (const std::uint32_t lie :
         {0u, 96u, static_cast<unsigned>(whole.size()) - 1, static_cast<unsigned>(whole.size()) + 1, 0xFFFF'FFFFu}) {
      Bytes record = whole;
      patch(record, offsetof(aa_header, size), lie);
      CHECK(refusal(record).find("claims a size of " + std::to_string(lie)) != std::string::npos);
    }
  }
}

TEST_CASE("decode: another version, an unknown kind and a header of nobody are refused by name") {
  for (Bytes record : one_of_each()) {
    patch(record, offsetof(aa_header, version), std::uint16_t{2});
    CHECK(refusal(record).find("version") != std::string::npos);
    patch(record, offsetof(aa_header, version), std::uint16_t{AA_RECORD_VERSION});
    patch(record, offsetof(aa_header, kind), std::uint16_t{0});
    CHECK(refusal(record).find("kind 0") != std::string::npos);
    patch(record, offsetof(aa_header, kind), std::uint16_t{999});
    CHECK(refusal(record).find("kind 999") != std::string::npos);
  }
  Bytes nobody = an_exit().record();
  patch(nobody, offsetof(aa_header, tgid), std::uint32_t{0});
  CHECK(refusal(nobody).find("no process") != std::string::npos);
  Bytes childless = a_fork().record();
  patch(childless, offsetof(aa_fork, child_tgid), std::uint32_t{0});
  CHECK_FALSE(decode(childless).has_value());
}

TEST_CASE("decode: an exec whose lengths lie is refused") {
  for (const std::size_t offset :
       {offsetof(aa_exec, argv_len), offsetof(aa_exec, filename_len), offsetof(aa_exec, interp_len),
        offsetof(aa_exec, exe_len), offsetof(aa_exec, cwd_len)}) {
    CAPTURE(offset);
    for (const std::uint32_t lie : {0u, 1u, 200u, 5'000u, 0x7FFF'FFFFu, 0xFFFF'FFFFu}) {
      CHECK_FALSE(decode(with_exec_field(offset, lie)).has_value());
    }
  }
  // Two lies that cancel in 32 bits.
  Bytes record = full_exec().record();
  patch(record, offsetof(aa_exec, exe_len), std::uint32_t{0xFFFF'FFFF});
  patch(record, offsetof(aa_exec, cwd_len), std::uint32_t{19});
  CHECK_FALSE(decode(record).has_value());
}

TEST_CASE("decode: strings at their limit pass, one byte more is refused") {
  const auto sized = [](std::size_t filename, std::size_t interp, std::size_t exe, std::size_t cwd, std::size_t argv) {
    return full_exec()
        .filename(std::string(filename, 'f'))
        .interpreter(std::string(interp, 'i'))
        .exe(std::string(exe, 'e'))
        .cwd(std::string(cwd, 'c'))
        .argv({std::string(argv - 1, 'a')})
        .record();
  };
  CHECK(decode(sized(4096, 256, 4096, 4096, AA_ARGV_LIMIT)).has_value());
  CHECK(refusal(sized(4097, 256, 4096, 4096, 5)).find("filename") != std::string::npos);
  CHECK(refusal(sized(4096, 257, 4096, 4096, 5)).find("interpreter") != std::string::npos);
  CHECK(refusal(sized(4096, 256, 4097, 4096, 5)).find("exe") != std::string::npos);
  CHECK(refusal(sized(4096, 256, 4096, 4097, 5)).find("cwd") != std::string::npos);
  CHECK(refusal(sized(4096, 256, 4096, 4096, AA_ARGV_LIMIT + 1)).find("argv") != std::string::npos);
}

TEST_CASE("decode: a result that contradicts the kind, and argv that is unreadable yet there, are refused") {
  CHECK_FALSE(decode(with_exec_field(offsetof(aa_exec, result), -2)).has_value());
  CHECK_FALSE(decode(with_exec_field(offsetof(aa_exec, result), 1)).has_value());
  Bytes failed = full_exec().failed_with(2).record();
  patch(failed, offsetof(aa_exec, result), 0);
  CHECK_FALSE(decode(failed).has_value());
  CHECK_FALSE(decode(with_exec_field(offsetof(aa_exec, flags), AA_EXEC_ARGV_FAULT)).has_value());
}

TEST_CASE("decode: arguments are told apart exactly, empty ones included") {
  const auto argv_of = [](const ExecBuilder& exec) { return std::get<ExecBody>(decoded(exec.record()).body).argv; };
  for (const std::vector<std::string>& argv : std::vector<std::vector<std::string>>{
           {}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a", "", ""}, {"line\nbreak", "\xFF\xC0"}}) {
    CHECK(argv_of(full_exec().argv(argv)) == argv);
  }
  const auto cut = [](ExecBody& body) { body.argv_truncated = true; };
  CHECK(argv_of(full_exec().argv({"a", "bc"}).marked(cut)) == std::vector<std::string>{"a", "bc"});
}

TEST_CASE("decode: an unknown parent is none, a current one says so") {
  Event event = decoded(an_exit().of(a_process(7, 8)).record());
  CHECK_FALSE(static_cast<bool>(event.process->parent));
  Who older = kCurl;
  older.parent_source = ParentSource::current;
  event = decoded(an_exit().of(older).record());
  CHECK(event.process->parent == kAgent.id);
  CHECK(event.process->parent_source == ParentSource::current);
}

TEST_CASE("decode: a comm of sixteen bytes needs no NUL") {
  CHECK(decoded(an_exit().of(a_process(7, 8, "0123456789abcdef")).record()).process->comm == "0123456789abcdef");
}

TEST_CASE("decode: an exit before its own start has run for nothing") {
  const Event event = decoded(an_exit().of(kCurl).at(5).record());
  CHECK(std::get<ExitBody>(event.body).runtime_ns == 0);
}

TEST_CASE("decode: an error names numbers, never content") {
  Bytes record = full_exec().argv({"hunter2"}).record();
  patch(record, offsetof(aa_exec, cwd_len), std::uint32_t{6});
  CHECK(refusal(record).find("hunter2") == std::string::npos);
  CHECK_FALSE(refusal(record).empty());
}

TEST_CASE("decode: random changes to a record never do harm") {
  std::mt19937 random(2);
  for (std::uint64_t round = 0; round < test::rounds(50'000); ++round) {
    auto records = one_of_each();
    Bytes record = records[random() % records.size()];
    for (unsigned changes = random() % 4; changes-- > 0;) record[random() % record.size()] = std::byte(random());
    if (const auto event = decode(record)) static_cast<void>(to_json(*event));
  }
  SUCCEED();
}
