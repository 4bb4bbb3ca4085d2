// What is told of a program that the verifier refused.
#include "probe/libbpf_log.h"
#include "support/catch.h"

using namespace aa;

TEST_CASE("libbpf's log: the reason is the verifier's last word, with the program it speaks of") {
  CHECK(reason_in("libbpf: prog 'aa_exec': BPF program load failed: Permission denied\n"
                  "libbpf: prog 'aa_exec': -- BEGIN PROG LOAD LOG --\n"
                  "0: (79) r6 = *(u64 *)(r1 +0)\n"
                  "R1 invalid mem access 'inv'\n"
                  "processed 12 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n"
                  "-- END PROG LOAD LOG --\n"
                  "libbpf: prog 'aa_exec': failed to load: -13\n"
                  "libbpf: failed to load object 'exec_bpf'\n") == "aa_exec: R1 invalid mem access 'inv'");
}

TEST_CASE("libbpf's log: a refusal by the verifier is told from one for want of privileges") {
  CHECK(is_verifiers("-- END PROG LOAD LOG --\nlibbpf: prog 'aa_exec': failed to load: -13\n"));
  CHECK_FALSE(
      is_verifiers("libbpf: prog 'aa_exec': BPF program load failed: Operation not permitted\n"
                   "libbpf: prog 'aa_exec': failed to load: -1\n"));
}

TEST_CASE("libbpf's log: without a verifier's log its last line is told") {
  CHECK(reason_in("libbpf: Error in bpf_create_map_xattr\nlibbpf: failed to load object 'exec_bpf'\n") ==
        "libbpf: failed to load object 'exec_bpf'");
  CHECK(reason_in("").empty());
}

TEST_CASE("libbpf's log: a log that was cut before its reason gives what is there") {
  CHECK(reason_in("-- END PROG LOAD LOG --\nlibbpf: prog 'aa_exec': failed to load: -13\n") ==
        "libbpf: prog 'aa_exec': failed to load: -13");
}
