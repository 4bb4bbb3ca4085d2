/* Every map of the exec family and what all families share. Sizes marked 1 are set by user space before load. */
#ifndef AA_MAPS_BPF_H
#define AA_MAPS_BPF_H

#include "abi/event.h"
#include "abi/filter.h"
#include "lib/inode.bpf.h"

/* fork, exec, exit and what the kernel itself judged denied: a flood of bulk data can never cost one of these. */
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 8 * 1024 * 1024);
} aa_lifecycle SEC(".maps");

/* One row per (family, cause), per CPU. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, AA_FAMILIES* AA_CAUSES);
  __type(key, __u32);
  __type(value, struct aa_ledger_row);
} aa_ledger SEC(".maps");

/* Who is watched. Never LRU: forgetting a living process would be a silent loss. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, __u32);
  __type(value, struct aa_watched);
} aa_watched SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, AA_SLOTS);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct aa_target);
} aa_targets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32);
  __type(value, struct aa_move);
} aa_moves SEC(".maps");

/* Longest text a record carries: argv, filename, interpreter, exe, cwd. A power of two, so that a mask proves the
 * bound. */
#define AA_TEXT_MAX (128 * 1024)
#define AA_TEXT_SLACK 4096
_Static_assert(AA_ARGV_LIMIT + 3 * AA_PATH_MAX + AA_INTERP_MAX < AA_TEXT_MAX, "the longest record fits its scratch");

#define AA_WALK_BUFFER AA_PATH_MAX
#define AA_NAME_MAX 255

/* State of a path walk. In a map: the functions that take its steps are given numbers only. */
struct aa_walk {
  __u64 dentry;
  __u64 mount;
  __u64 root_dentry;
  __u64 root_mount;
  __u32 off; /* the path is buffer[off .. AA_WALK_BUFFER) */
  __u32 end; /* AA_WALK_* */
  __u8 buffer[AA_WALK_BUFFER + AA_NAME_MAX + 1];
};

/* Progress through a caller's argv array (failed execs). */
struct aa_argv_walk {
  __u64 pointer;
  __u32 count;
  __u32 len;
  __u32 cut;
  __u32 compat;
};

/* Progress through the strings that may name an agent. */
struct aa_names_walk {
  __u64 hash; /* of the present component */
  __u32 at;
  __u32 words; /* still to be looked at, this one too */
};

struct aa_scratch {
  struct aa_walk walk;
  struct aa_argv_walk argv;
  struct aa_names_walk names;
  struct aa_exec record;
  __u8 text[AA_TEXT_MAX + AA_TEXT_SLACK];
};

/* Rows of a CPU, one for each kind of program: programs of one kind never interleave on a CPU (the kernel counts and
 * skips recursion, and that count is read as cause `recursion`), programs of two kinds may where tracepoints are
 * preemptible. A per-CPU map cannot hold values above 32 KiB. */
#define AA_SCRATCH_EXEC 0u
#define AA_SCRATCH_FAILED 1u
#define AA_SCRATCH_SECOND 2u               /* aa_exec_2nd */
const volatile __u32 aa_scratch_kinds = 2; /* 3 where seconds run */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct aa_scratch);
} aa_scratch SEC(".maps");

static __always_inline struct aa_scratch* scratch_of(__u32 kind) {
  __u32 row = bpf_get_smp_processor_id() * aa_scratch_kinds + kind;
  return bpf_map_lookup_elem(&aa_scratch, &row);
}

#endif
