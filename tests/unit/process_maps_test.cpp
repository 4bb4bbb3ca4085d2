// Executable mappings: of texts as the kernel writes them, and of this very process.
#include "probe/process_maps.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "probe/tls_stacks.h"
#include "support/catch.h"
#include "support/rounds.h"
#include "support/scratch.h"

using namespace aa;
using namespace aa::test;

TEST_CASE("maps: each executable file comes once, with spaces and marks of its name, whatever is around it") {
  const auto found = executable_mappings(
      "55d0a000-55d0b000 r--p 00000000 fe:01 42      /usr/bin/a b\n"
      "55d0b000-55d0c000 r-xp 00001000 fe:01 42      /usr/bin/a b\n"
      "55d0d000-55d0e000 r-xp 00009000 fe:01 42      /usr/bin/a b\n"
      "7f000000-7f001000 r-xp 00000000 00:1f 9000000000 /lib/x.so (deleted)\n"
      "7f002000-7f003000 rwxp 00000000 00:00 0 \n"
      "7ffe0000-7ffe1000 r-xp 00000000 00:00 0       [vdso]\n");
  REQUIRE(found.size() == 2);
  CHECK(found[0].begin == 0x55d0b000);
  CHECK(found[0].end == 0x55d0c000);
  CHECK(found[0].offset == 0x1000);
  CHECK(found[0].name == "/usr/bin/a b");
  CHECK(found[0].dev == (0xfeu << 20 | 1));
  CHECK(found[0].ino == 42);
  CHECK(found[1].ino == 9'000'000'000);
  CHECK(found[1].name == "/lib/x.so (deleted)");
  CHECK(found[1].link(7) == "/proc/7/map_files/7f000000-7f001000");
}

TEST_CASE("maps: what lies at low addresses is opened by them without the zeros that maps has") {
  const auto found = executable_mappings("00b6f000-00b71000 r-xp 00001000 fe:01 42      /usr/bin/node\n");
  REQUIRE(found.size() == 1);
  CHECK(found[0].link(7) == "/proc/7/map_files/b6f000-b71000");
}

TEST_CASE("maps: lines that are not as they should be are left out") {
  CHECK(executable_mappings("").empty());
  CHECK(executable_mappings("\n\n").empty());
  CHECK(executable_mappings("nonsense").empty());
  CHECK(executable_mappings("1-2 r-xp 0 zz:01 5 /a\n1-2 r-xp 0 01 5 /a\n1-2 r-xp 0 1:2 x /a\n").empty());
  CHECK(executable_mappings("x-2 r-xp 0 1:2 5 /a\n1-2 r-xp x 1:2 5 /a\n").empty());
  CHECK(executable_mappings_of(4'194'305).empty());
}

TEST_CASE("maps: files beyond those that are opened are known, without their names") {
  std::string maps;
  for (std::size_t ino = 1; ino <= kMostMapped + 2; ++ino)
    maps += "1000-2000 r-xp 00000000 fe:01 " + std::to_string(ino) + " /" + std::string(4000, 'd') + "\n";
  const auto found = executable_mappings(maps);
  REQUIRE(found.size() == kMostMapped + 2);
  CHECK(found[kMostMapped - 1].name.size() == 4001);
  CHECK(found[kMostMapped].name.empty());
  CHECK(found.back().ino == kMostMapped + 2);
}

TEST_CASE("maps: this process has its own program among them") {
  struct stat own {};
  REQUIRE(::stat("/proc/self/exe", &own) == 0);
  bool found = false;
  for (const ExecutableMapping& mapping : executable_mappings_of(static_cast<std::uint32_t>(::getpid())))
    found = found || mapping.ino == own.st_ino;
  CHECK(found);
}

TEST_CASE("maps: of a process that goes while it is read, what was read; never a throw") {
  for (std::uint64_t i = 0; i < test::rounds(300); ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) ::_exit(0);
    std::thread reaper([&] { ::waitpid(child, nullptr, 0); });
    while (::kill(child, 0) == 0) CHECK_NOTHROW(executable_mappings_of(static_cast<std::uint32_t>(child)));
    reaper.join();
  }
}

TEST_CASE("tls stacks: those not covered are recognised by name and by content, wherever it lies") {
  CHECK(uncovered_stack("/usr/lib/libnss3.so", "/dev/null").find("NSS") != std::string::npos);
  CHECK(uncovered_stack("/opt/jdk/lib/server/libjvm.so", "/dev/null").find("Java") != std::string::npos);
  CHECK(uncovered_stack("/lib/libngtcp2.so.16", "/dev/null").find("QUIC") != std::string::npos);
  CHECK(uncovered_stack("/lib/libngtcp2_crypto_gnutls.so.8", "/dev/null").empty());
  CHECK(uncovered_stack("/lib/libz.so.1", "/dev/null").empty());
  const Scratch folder;
  const auto stack_of = [&](const std::string& content) {
    std::ofstream(folder.file("program"), std::ios::binary) << content;
    return uncovered_stack("/usr/bin/program", folder.file("program"));
  };
  const std::string padding((1u << 20) - 5, 'x');
  CHECK(stack_of(padding + "ssl/ssl_lib.cc" + padding).find("BoringSSL") != std::string::npos);
  CHECK(stack_of(padding + "/cargo/rustls-0.23/").find("rustls") != std::string::npos);
  CHECK(stack_of("\xff Go buildinf:go1.19").find("Go") != std::string::npos);
  CHECK(stack_of(padding).empty());
  CHECK(uncovered_stack("/usr/bin/program", "/nonexistent").empty());
}
