/* The file family's own maps. Sizes marked 1 are set by user space before load. */
#ifndef AA_FILE_MAPS_BPF_H
#define AA_FILE_MAPS_BPF_H

#include "lib/maps.bpf.h"

/* What happened to files; what the kernel itself judged denied goes to the lifecycle ring instead. */
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 16 * 1024 * 1024);
} aa_file_ring SEC(".maps");

/* Sums of reads and writes: user space swaps the inner map for an empty one and then reads the old one, which nobody
 * adds to any more. Preallocated and never LRU: what is in it is part of an exact account. What only says what inner
 * maps are like keeps its size of 1. */
struct aa_sums {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, struct aa_sum_key);
  __type(value, struct aa_sum);
} aa_sums_a SEC(".maps"), aa_sums_b SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(values, struct aa_sums);
} aa_sums_now SEC(".maps") = {.values = {(void*)&aa_sums_a}};

/* Path rules: two slots each, selected by the generation's lowest bit, filled before the generation is told. */
struct aa_objects {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, struct aa_object_key);
  __type(value, struct aa_object);
};

struct aa_names {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, struct aa_name_key);
  __type(value, struct aa_object);
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 2);
  __type(key, __u32);
  __array(values, struct aa_objects);
} aa_rule_objects SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 2);
  __type(key, __u32);
  __array(values, struct aa_names);
} aa_rule_names SEC(".maps");

/* The strings a call was given, as they were when it began: kept until it ends. */
#define AA_ASKED_HEAD 256
#define AA_ASKED_WORDS (AA_ASKED_HEAD / 8)
struct aa_asked {
  __s32 length[2]; /* with the NUL; negative when the string could not be read */
  __u64 head[2][AA_ASKED_WORDS];
  __u64 folder[2]; /* that a relative name starts from: start_folder() of it */
  __u64 own;       /* the same of the root and the working directory */
};

/* The whole of one that is longer than its head; without room the head has to do. */
#define AA_ASKED_STEP (AA_ASKED_HEAD - 1) /* a head ends with a NUL */
struct aa_asked_long {
  __u8 text[AA_PATH_MAX + AA_ASKED_HEAD];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct aa_kept_key); /* place: which of the call's strings */
  __type(value, struct aa_asked_long);
} aa_asked_long_now SEC(".maps");

/* An io_uring request that has names, kept from its submission to its completion. Some never complete visibly: their
 * entry is overwritten when the kernel uses the request again. */
#define AA_URING_NAME AA_PATH_MAX
struct aa_uring_asked {
  __u64 argument[6]; /* as the system call of the same name takes them, names apart */
  __u32 row;         /* of aa_calls */
  __u32 direct;      /* opens no descriptor */
  __u64 folder[2];   /* that a name starts from, when it is asked for: a dentry, to be compared only */
  __u8 name[2][AA_URING_NAME];
};

#define AA_FILE_TEXT_MAX (32 * 1024)
#define AA_FILE_TEXT_SLACK 4096
_Static_assert(5 * AA_PATH_MAX < AA_FILE_TEXT_MAX, "the longest record fits its scratch");

/* Where the process and its mount namespace begin, and how far a walk has come. */
struct aa_file_walk {
  __u64 namespace;
  __u64 beyond;  /* folders above a bind mount's root: in no path, but rules may name them */
  __u32 root;    /* offset in the buffer where the process's root was met, 0 not yet */
  __u32 judge;   /* look the folders up among the rules */
  __u32 base;    /* what is walked from is the folder that a name starts from */
  __u64 joining; /* inode that gets the name by this operation, and the rules of the name with it; 0 none */
  __u32 mount;   /* 1 + offset in the buffer of what lies below the path's last mount point, 0 there is none */
  __u32 within;  /* rule objects met up to there */
  __u32 on_path; /* met on the path: more come from beyond */
};

/* A name of a call: where it starts from, where it is, where it goes. In the scratch: five arguments are all a function
 * may have. */
struct aa_name_request {
  __u64 dirfd;
  __u64 pointer;
  __u64 off;
  __u32 which;     /* of the asked */
  __u32 asked;     /* the scratch holds what the call began with */
  __u32 in_kernel; /* the name is the kernel's own copy */
  __u32 nameless;  /* opened without a descriptor */
};

/* An operation under way, where hooks see its parts. */
struct aa_file_operation {
  __u64 text;     /* bytes put so far */
  __u64 address;  /* argument of the enclosing function that its end needs */
  __s32 error;    /* met on the way */
  __u32 call;     /* row of aa_calls */
  __u32 seen;     /* AA_SEEN_* */
  __u32 fd;       /* 1 + the descriptor it got, 0 none */
  __u32 joined;   /* how many of the scratch's `joined` are filled */
  __u32 is_early; /* told before it has ended */
};

/* A file that gets a rule's name by the operation under way. */
struct aa_joined {
  struct aa_object_key key;
  struct aa_object object;
};
#define AA_JOINED 2 /* an exchange has two ends */

struct aa_file_scratch {
  struct aa_walk walk;
  struct aa_file_walk more;
  struct path root;
  struct path pwd;
  __u64 args[8];
  struct aa_sum_key key;
  struct aa_sum sum;
  struct aa_object_key object;
  struct aa_name_key name;
  struct aa_object learned;
  struct aa_joined joined[AA_JOINED];
  struct aa_file_sum sum_record;
  struct aa_asked asked;
  __u64 again[AA_ASKED_WORDS]; /* the same string when the call ends */
  struct aa_uring_asked uring;
  struct aa_name_request request;
  struct aa_file_operation operation;
  struct path path;      /* to be walked */
  struct aa_file record; /* and right behind it what it sends along */
  __u8 text[AA_FILE_TEXT_MAX + AA_FILE_TEXT_SLACK];
};

#define AA_FILE_SCRATCH_ENTER 0u
#define AA_FILE_SCRATCH_EXIT 1u
#define AA_FILE_SCRATCH_SUBMIT 2u
#define AA_FILE_SCRATCH_COMPLETE 3u
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct aa_file_scratch);
} aa_file_rows SEC(".maps");

/* Functions that the verifier is to look at once, not at every call, are global and take plain numbers (5.10 knows no
 * pointers there): `kind` names the scratch. */
static __always_inline struct aa_file_scratch* file_scratch_of(__u32 kind) {
#if AA_FILE_HOOK == AA_HOOK_TRACEPOINT
  __u32 row = bpf_get_smp_processor_id() * AA_FILE_ROWS_PER_CPU + kind;
#else
  __u32 row = kind; /* taken by a thread until its operation ends: it may sleep in the middle (lib/file_rows.bpf.h) */
#endif
  return bpf_map_lookup_elem(&aa_file_rows, &row);
}

struct aa_file_settings aa_file_state SEC(".data.file") = {};

/* Filled for a call of aa_learn. */
struct aa_learned aa_learn_rows[AA_LEARN_MAX] SEC(".data.learn") = {};

#endif
