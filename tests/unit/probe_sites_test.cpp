// Functions by their bytes: as Debian's libssl and libgnutls have them, and some made by hand that must not be
// believed.
#include "probe/probe_sites.h"

#include "probe/machine_code.h"
#include "support/catch.h"

using namespace aa;

#if defined(__x86_64__)
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kObjectAndData = 1u << kRdi | 1u << kRsi;

// Debian 12, libssl 3.0: SSL_write as it is, SSL_read is the same with other numbers.
const Bytes kSslWrite = {
    0x48, 0x83, 0xec, 0x18,                                // 0  sub $0x18,%rsp
    0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00,  // 4  mov %fs:0x28,%rax
    0x48, 0x89, 0x44, 0x24, 0x08,                          // 13 mov %rax,0x8(%rsp)
    0x31, 0xc0,                                            // 18 xor %eax,%eax
    0x85, 0xd2,                                            // 20 test %edx,%edx
    0x78, 0x2f,                                            // 22 js 71
    0x48, 0x89, 0xe1,                                      // 24 mov %rsp,%rcx
    0x48, 0x63, 0xd2,                                      // 27 movslq %edx,%rdx
    0xe8, 0xfd, 0xfb, 0xff, 0xff,                          // 30 call the worker
    0x85, 0xc0,                                            // 35 test %eax,%eax
    0x7e, 0x03,                                            // 37 jle 42
    0x8b, 0x04, 0x24,                                      // 39 mov (%rsp),%eax
    0x48, 0x8b, 0x54, 0x24, 0x08,                          // 42 mov 0x8(%rsp),%rdx
    0x64, 0x48, 0x2b, 0x14, 0x25, 0x28, 0x00, 0x00, 0x00,  // 47 sub %fs:0x28,%rdx
    0x75, 0x15,                                            // 56 jne 79
    0x48, 0x83, 0xc4, 0x18,                                // 58 add $0x18,%rsp
    0x31, 0xd2, 0x31, 0xc9, 0x31, 0xf6, 0x31, 0xff,        // 62 xor …
    0xc3,                                                  // 70 ret
    0xb8, 0xff, 0xff, 0xff, 0xff,                          // 71 mov $-1,%eax
    0xeb, 0xdc,                                            // 76 jmp 42
    0x90,                                                  // 78 nop
    0xe8, 0xed, 0xab, 0xfe, 0xff,                          // 79 call __stack_chk_fail
};

// The same library's SSL_write_ex.
const Bytes kSslWriteEx = {
    0x48, 0x83, 0xec, 0x08,                          // 0  sub $0x8,%rsp
    0xe8, 0x87, 0xfb, 0xff, 0xff,                    // 4  call the worker
    0x31, 0xd2,                                      // 9  xor %edx,%edx
    0x85, 0xc0,                                      // 11 test %eax,%eax
    0x0f, 0x48, 0xc2,                                // 13 cmovs %edx,%eax
    0x48, 0x83, 0xc4, 0x08,                          // 16 add $0x8,%rsp
    0x31, 0xd2, 0x31, 0xc9, 0x31, 0xf6, 0x31, 0xff,  // 20 xor …
    0xc3,                                            // 28 ret
};

// Debian 12's gnutls_record_recv_seq: arguments are moved, and another function ends it.
const Bytes kRecvSeq = {
    0x44, 0x8b, 0x8f, 0x70, 0x07, 0x00, 0x00,  // 0  mov 0x770(%rdi),%r9d
    0x49, 0x89, 0xc8,                          // 7  mov %rcx,%r8
    0x48, 0x89, 0xd1,                          // 10 mov %rdx,%rcx
    0x48, 0x89, 0xf2,                          // 13 mov %rsi,%rdx
    0xbe, 0x17, 0x00, 0x00, 0x00,              // 16 mov $0x17,%esi
    0xe9, 0xb6, 0xed, 0xff, 0xff,              // 21 jmp the worker
};

// Debian 13's SSL_write_ex.
const Bytes kGoesOn = {
    0xf3, 0x0f, 0x1e, 0xfa,        // 0  endbr64
    0x49, 0x89, 0xc8,              // 4  mov %rcx,%r8
    0x31, 0xc9,                    // 7  xor %ecx,%ecx
    0xe9, 0x52, 0x00, 0x00, 0x00,  // 9  jmp 96
};

ProbeChoice choose(const Bytes& function, ProbeNeeds needs = {.arguments = kObjectAndData},
                   const CodeElsewhere& elsewhere = {}) {
  return choose_probes(function, needs, elsewhere);
}

// One function elsewhere, at `place`.
CodeElsewhere with(std::int64_t place, Bytes code) {
  CodeElsewhere elsewhere;
  elsewhere.bytes = [place, code](std::int64_t at, std::size_t count) -> Bytes {
    const std::int64_t begin = at - place;
    if (begin < 0 || begin >= static_cast<std::int64_t>(code.size())) return {};
    const auto from = code.begin() + begin;
    return {from, from + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(count), code.end() - from)};
  };
  return elsewhere;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

const Bytes kRet = {0xc3};
const Bytes kPushRbx = {0x53}, kPopRbx = {0x5b};
const Bytes kEndbr = {0xf3, 0x0f, 0x1e, 0xfa};
const Bytes kSubRsp = {0x48, 0x83, 0xec, 0x08}, kAddRsp = {0x48, 0x83, 0xc4, 0x08};
const Bytes kCall = {0xe8, 0x00, 0x10, 0x00, 0x00};

}  // namespace

TEST_CASE(
    "probe sites: SSL_write begins at its first branch and ends at its canary's, both with the stack it has there") {
  const ProbeChoice choice = choose(kSslWrite);
  CHECK(choice.how == "branch + canary");
  CHECK(choice.begin.offset == 22);
  CHECK(choice.begin.depth == 0x18);
  CHECK_FALSE(choice.return_probe);
  REQUIRE(choice.ends.size() == 1);
  CHECK(choice.ends[0].offset == 56);
  CHECK(choice.ends[0].depth == 0x18);
}

TEST_CASE("probe sites: SSL_write_ex has no canary: the call of its worker, and its return") {
  const ProbeNeeds needs{.arguments = kObjectAndData | 1u << kRcx};
  const ProbeChoice choice = choose(kSslWriteEx, needs);
  CHECK(choice.how == "call + returns");
  CHECK(choice.begin.offset == 4);
  CHECK(choice.begin.depth == 8);
  REQUIRE(choice.ends.size() == 1);
  CHECK(choice.ends[0].offset == 28);
  CHECK(choice.ends[0].depth == 0);
}

TEST_CASE("probe sites: where programs cannot be told of a depth, only places of depth 0 are chosen") {
  const ProbeNeeds needs{.arguments = kObjectAndData, .depths = false};
  const ProbeChoice choice = choose(kSslWrite, needs);
  CHECK(choice.how == "entry + return probe");
  CHECK(choice.begin.offset == 0);
  CHECK(choice.return_probe);
  const ProbeChoice pushed = choose(joined({kEndbr, kPushRbx, kCall, kPopRbx, kRet}), needs);
  CHECK(pushed.how == "push + return probe");
  CHECK(pushed.begin.offset == 4);
}

TEST_CASE("probe sites: without return probes a function's own returns are probed") {
  const ProbeNeeds needs{.arguments = kObjectAndData, .return_probes = false};
  const ProbeChoice choice = choose(joined({kPushRbx, kCall, kPopRbx, kRet}), needs);
  CHECK(choice.how == "push + returns");
  CHECK_FALSE(choice.return_probe);
  REQUIRE(choice.ends.size() == 1);
  CHECK(choice.ends[0].offset == 7);
}

TEST_CASE("probe sites: a function that another one ends has a return probe, or a reason") {
  const CodeElsewhere worker = with(-0x1230, kRet);
  const ProbeChoice choice = choose(kRecvSeq, {.arguments = kObjectAndData}, worker);
  CHECK(choice.how == "entry + return probe");
  CHECK(choice.begin.offset == 0);
  const ProbeChoice without = choose(kRecvSeq, {.arguments = kObjectAndData, .return_probes = false}, worker);
  CHECK(without.trouble.empty());
  REQUIRE(without.ends.size() == 1);
  CHECK(without.ends[0].offset == -0x1230);
  CHECK(without.ends[0].shared);
  const ProbeNeeds old{.arguments = kObjectAndData, .return_probes = false, .depths = false};
  CHECK(choose(kRecvSeq, old, worker).ends.size() == 1);
  const ProbeNeeds maker{.begin = false, .return_probes = false};  // its result is an object, the worker's may be none
  CHECK(choose(kRecvSeq, maker, worker).trouble == "it ends in another function");
  CHECK_FALSE(choose(kRecvSeq, {.arguments = kObjectAndData, .return_probes = false}).trouble.empty());
}

TEST_CASE("probe sites: a function that only goes on to one that is probed itself is left alone") {
  CodeElsewhere elsewhere;
  elsewhere.is_probed = [](std::int64_t at) { return at == 96; };
  CHECK(choose(kGoesOn, {.arguments = kObjectAndData}, elsewhere).skip);
  CHECK_FALSE(choose(kGoesOn).skip);
}

TEST_CASE("probe sites: arguments that were overwritten before the first cheap instruction are not taken there") {
  const Bytes moved = {0x48, 0x89, 0xf7};  // mov %rsi,%rdi
  const ProbeChoice choice = choose(joined({kSubRsp, moved, kCall, kAddRsp, kRet}));
  CHECK(choice.begin.offset == 0);
  CHECK(choice.how == "entry + return probe");
  const Bytes half = {0x40, 0xb6, 0x00};  // mov $0,%sil
  CHECK(choose(joined({kEndbr, half, kPushRbx, kPopRbx, kRet})).begin.offset == 0);
}

TEST_CASE("probe sites: a beginning that is jumped back to is none") {
  const Bytes clear = {0x31, 0xc0}, test = {0x85, 0xc0};
  const Bytes back = {0x75, 0xf6};  // jne 6, the push
  const ProbeChoice choice = choose(joined({kEndbr, clear, kPushRbx, kCall, test, back, kPopRbx, kRet}));
  CHECK(choice.begin.offset == 0);
  const Bytes on = {0x75, 0x00};
  CHECK(choose(joined({kEndbr, clear, kPushRbx, kCall, test, on, kPopRbx, kRet})).begin.offset == 6);
}

TEST_CASE("probe sites: a result that is made after the canary's branch is not taken at it") {
  Bytes late = kSslWrite;
  late[62] = 0x31, late[63] = 0xc0;  // xor %eax,%eax
  const ProbeChoice choice = choose(late);
  CHECK(choice.how == "branch + returns");
  REQUIRE(choice.ends.size() == 1);
  CHECK(choice.ends[0].offset == 70);
}

TEST_CASE("probe sites: a canary's branch that can be jumped over is not believed") {
  Bytes over = kSslWrite;
  over[77] = 0xec;  // jmp 58
  CHECK(choose(over).how == "branch + returns");
}

TEST_CASE("probe sites: a jump through a table hides where it goes; its function still has returns") {
  const Bytes table = {0xff, 0xe0};  // jmp *%rax
  const Bytes function = joined({kSubRsp, kCall, table, kAddRsp, kRet});
  CHECK(choose(function).how == "entry + return probe");
  const ProbeNeeds without{.arguments = kObjectAndData, .return_probes = false};
  CHECK(choose(function, without).trouble.empty());
  CHECK(choose(function, without).how == "entry + returns");
}

TEST_CASE("probe sites: a jump to an unknown place with the caller's stack cannot be followed") {
  const ProbeNeeds without{.arguments = kObjectAndData, .return_probes = false};
  const ProbeChoice choice = choose(joined({kSubRsp, kAddRsp, {0xff, 0xe0}}), without);
  CHECK(choice.trouble.find("cannot be followed") != std::string::npos);
}

TEST_CASE("probe sites: code put aside that comes back is part of the function, code that returns is not overlooked") {
  const Bytes branch = {0x0f, 0x84, 0xf6, 0x0f, 0x00, 0x00};  // je 0x1000 + 4 + 6 + …
  const Bytes canary = {0x64, 0x48, 0x2b, 0x14, 0x25, 0x28, 0x00, 0x00, 0x00, 0x75, 0x05};
  const Bytes function = joined({kSubRsp, branch, canary, kAddRsp, kRet, kCall});
  REQUIRE(decode_function(function));
  const Bytes home = {0xe9, 0x05, 0xf0, 0xff, 0xff};  // jmp back to 10 from 0x1000
  CHECK(choose(function, {.arguments = kObjectAndData}, with(0x1000, home)).how == "branch + canary");
  CHECK(choose(function, {.arguments = kObjectAndData}, with(0x1000, kRet)).how == "entry + return probe");
  CHECK(choose(function).how == "entry + return probe");
  CHECK_FALSE(choose(function, {.arguments = kObjectAndData, .return_probes = false}).trouble.empty());
}

TEST_CASE("probe sites: bytes that are no code are not guessed at") {
  const Bytes junk = {0x06, 0x07, 0xff, 0xff};
  CHECK(choose(junk).how == "entry + return probe");
  CHECK(choose({}).how == "entry + return probe");
  CHECK_FALSE(choose(junk, {.return_probes = false}).trouble.empty());
  for (std::size_t length = 1; length < kSslWrite.size(); ++length)
    (void)choose(Bytes(kSslWrite.begin(), kSslWrite.begin() + static_cast<std::ptrdiff_t>(length)));
}

TEST_CASE("probe sites: a function with more returns than a compiler makes is not attached to at each of them") {
  const auto returning = [](std::size_t times) {
    Bytes function = kSubRsp;
    for (std::size_t i = 0; i < times; ++i) function.push_back(0xc3);
    return function;
  };
  const ProbeNeeds without{.arguments = kObjectAndData, .return_probes = false};
  CHECK(choose(returning(64), without).trouble.empty());
  CHECK(choose(returning(65), without).trouble == "it has too many returns");
  CHECK(choose(returning(65)).how == "entry + return probe");
}

TEST_CASE("machine code: what the kernel carries out itself is known by its bytes") {
  const auto is_cheap = [](const Bytes& bytes) { return decode_instruction(bytes, 0)->emulated; };
  CHECK(is_cheap({0x53}));                          // push %rbx
  CHECK(is_cheap({0x41, 0x56}));                    // push %r14
  CHECK(is_cheap({0x90}));                          // nop
  CHECK(is_cheap({0xe8, 0, 0, 0, 0}));              // call
  CHECK(is_cheap({0xeb, 0}));                       // jmp
  CHECK(is_cheap({0x0f, 0x84, 0, 0, 0, 0}));        // je
  CHECK_FALSE(is_cheap({0xc3}));                    // ret
  CHECK_FALSE(is_cheap({0x0f, 0x1f, 0x00}));        // nop of three bytes
  CHECK_FALSE(is_cheap({0xf3, 0x0f, 0x1e, 0xfa}));  // endbr64
  CHECK_FALSE(is_cheap({0xe2, 0x00}));              // loop
  CHECK_FALSE(is_cheap({0x6a, 0x01}));              // push $1
  CHECK_FALSE(is_cheap({0xff, 0x75, 0x00}));        // push (%rbp)
  CHECK_FALSE(is_cheap({0x66, 0x53}));              // push %bx
  CHECK_FALSE(is_cheap({0xff, 0xd0}));              // call *%rax
}
#endif
