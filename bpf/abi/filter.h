/* Map keys and values: what user space tells the kernel, and what the kernel keeps about whom it watches. */
#ifndef AA_ABI_FILTER_H
#define AA_ABI_FILTER_H

#include <linux/types.h>

#include "abi/event.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

#define AA_SLOTS 256u /* rows of the targets table; row 0 is the self-test's */
#define AA_SLOT_SELF_TEST 0u
/* A slot as records and the watched set carry it: row, and how often that row was given away before, so that a record
 * still under way when its target was released is never taken for the next owner's. */
#define AA_SLOT(row, generation) ((generation) << 8 | (row))
#define AA_SLOT_ROW(slot) ((slot)&0xffu)

/* watched: key __u32 tgid. One living process. */
struct aa_watched {
  __u64 start_ns;
  __u64 parent_start_ns;
  __u32 parent_tgid;
  __u32 slot;
  __u32 image;            /* execs so far */
  __u32 flags;            /* AA_WATCHED_* */
  __u64 refused_start_ns; /* of the last of its children that found no room */
  __u64 exec_id;          /* the kernel's number of its last exec that was seen to, 0 none */
  __u64 older_start_ns;   /* its parent's parent, when that is watched too; else 0 */
  __u32 older_tgid;
  __u32 since; /* when it was taken in, by some clock: another number each time; 0 from its birth on */
};

#define AA_WATCHED_ROOT 1u           /* the root of its target */
#define AA_WATCHED_PARENT_CURRENT 2u /* adopted: the parent is the one it had then */
#define AA_WATCHED_SERIAL(serial) \
  ((serial) << 16) /* adopted: for which enrolment, so that a row read twice says the same */

/* targets: one row a slot. The kernel counts in it, user space writes the rest through a shared mapping. */
struct aa_target {
  __u32 active;    /* 0: its processes are no longer watched, whatever the watched set still holds */
  __u32 slot;      /* row and generation of its present owner: an entry with another generation is stale */
  __u32 tls_level; /* AA_TLS_LEVEL_* */
  __u32 limit;     /* live processes allowed: the target's share of the watched set */
  __u64 live;      /* entries of the watched set in this slot */
  __u64 attempts;  /* records this target's processes asked for */
  __u64 lost;      /* of those, never reached the ring */
  __u64 refused;   /* processes that found no room */
};

#define AA_TLS_LEVEL_OFF 0u
#define AA_TLS_LEVEL_METADATA 1u
#define AA_TLS_LEVEL_REDACTED 2u
#define AA_TLS_LEVEL_FULL 3u

/* Families and causes of the ledger: one row for each pair, per CPU. */
#define AA_FAMILY_EXEC 0u
#define AA_FAMILY_FILE 1u
#define AA_FAMILY_TLS 2u
#define AA_FAMILIES 3u

#define AA_CAUSE_ATTEMPT 0u /* not a loss: every record asked for */
#define AA_CAUSE_RING_FULL 1u
#define AA_CAUSE_SCRATCH 2u      /* no working memory free */
#define AA_CAUSE_WATCHED_FULL 3u /* a process could not be watched: not a record, but an insert */
#define AA_CAUSE_SHARE_FULL 4u   /* the same, because its target's share was used up */
#define AA_CAUSE_ADOPT_CUT 5u    /* an exiting process had more children than one pass adopts: not a record */
#define AA_CAUSE_SUM_FULL 6u     /* not a loss: a call that found no room among the sums became an event of its own */
#define AA_CAUSE_NO_SPARE 7u     /* an agent was discovered, but no target row was ready: not a record */
#define AA_CAUSE_UNSEEN 8u       /* an io_uring operation whose completion shows neither file nor result */
#define AA_CAUSE_CALLS_FULL 9u   /* no room to remember a call that began */
#define AA_CAUSE_CONNECTIONS_FULL 10u /* no room for one more connection */
#define AA_CAUSE_LATE_ATTACH 11u      /* a call that had begun before it could be seen: not a record */
#define AA_CAUSE_LEARN_FULL 12u       /* not a loss: a file that a rule means is known by its path alone */
#define AA_CAUSE_RULES_CUT 13u        /* not a loss: a path met more rules than a record names */
#define AA_CAUSE_LOST_BYTES 14u       /* what calls moved that no record tells, as far as is known: bytes */
#define AA_CAUSES 15u

/* Discovery: names are known by the hash of a path's last component (FNV-1a), looked for in the filename and in the
 * first three arguments, as far as so many bytes reach. */
#define AA_DISCOVER_NAMES 1024u
#define AA_USER_KEY(uid) (0x7569640000000000ull | (uid)) /* a user among the hashes of names */
#define AA_DISCOVER_TEXT 512u
#define AA_NAME_HASH_START 14695981039346656037ull
#define AA_NAME_HASH_FACTOR 1099511628211ull

/* Units: control groups of the version 2 hierarchy whose processes belong to a target. */
#define AA_CGROUP_DEPTH 32
#define AA_CGROUP_PATH 1024 /* the longest path the kernel tells of, NUL included */

/* units: key __u64 id of a control group, value __u32 slot. unit_paths: key __u64 hash of the path below the root
 * (FNV-1a). */
struct aa_unit {
  __u64 cgroup_id; /* the group it has now, 0 none */
  __u32 slot;
  __u32 reserved;
};

struct aa_unit_path {
  __u8 text[AA_CGROUP_PATH];
};

struct aa_ledger_row {
  __u64 count;
  __u64 first_ns; /* CLOCK_BOOTTIME of the first and the last, 0 when none */
  __u64 last_ns;
};

/* Working memory of the file family's hooks on functions: rows for what is told at once, and behind them those of
 * operations that may wait, for another process or a file system that answers late. */
#define AA_FILE_ROWS_AT_ONCE 64u
#define AA_FILE_ROWS_WAITING 128u
#define AA_FILE_ROWS (AA_FILE_ROWS_AT_ONCE + AA_FILE_ROWS_WAITING)
#define AA_FILE_ROWS_PER_CPU 4u /* where only system calls are seen: nothing sleeps with a row */

/* A call that has begun, where its end is not given its arguments. */
struct aa_kept_key {
  __u64 thread; /* pid_tgid */
  __u64 place;  /* which function it is in */
};

/* What the kernel recognises of the path rules. A set of rules has one map of objects and one of names; the generation
 * selects both. */
#define AA_OBJECT_FILE 1u
#define AA_OBJECT_DIRECTORY 2u
struct aa_object_key {
  __u64 ino;
  __u32 dev;
  __u32 kind; /* AA_OBJECT_FILE, AA_OBJECT_DIRECTORY */
};

/* A name in a folder. Longer names are cut: user space judges again. */
#define AA_RULE_NAME 48
struct aa_name_key {
  __u64 ino; /* the folder's */
  __u32 dev;
  __u32 length;
  __u8 name[AA_RULE_NAME];
};

#define AA_OBJECT_IDS 4
#define AA_OBJECT_DENIES 1u
#define AA_OBJECT_WATCHES 2u
struct aa_object {
  __u32 id[AA_OBJECT_IDS]; /* 0: no more */
  __u32 flags;             /* AA_OBJECT_DENIES, AA_OBJECT_WATCHES: a rule of that verdict names it */
  __u32 inode_generation;  /* of a file; another one is another file under a used number */
};

/* Told by user space through the mapping of .data.file. */
struct aa_file_settings {
  __u64 generation; /* of the path rules in force; 0 none */
  __u32 each;       /* every read and write is an event of its own */
  __u32 idle;       /* the reader waits: wake it once */
  __u32 home;       /* number of the mount namespace that names are looked up in; 0: not known */
  __u32 reserved;
};

/* Told by user space through the mapping of .data.tls. */
struct aa_tls_settings {
  __u32 call_bytes; /* taken of one call at most */
  __u32 idle;       /* the reader waits: wake it once */
  __u32 relistened; /* how often a library was rewritten, and nobody listened until it was read again: where programs
                       get no cookie, which says it of its own library */
  __u32 reserved;
};

/* held: key __u32 tgid. A process that stands still until what it mapped was looked into. */
#define AA_HELD_MAX 1024
#define AA_HELD_ABOVE 8u
struct aa_held {
  __u64 start_ns;
  __u64 since_ns;
  __u32 stopped_above; /* bit n: its parent (0), that one's parent (1) … had been stopped by somebody else */
  __u32 reserved;
};

/* hold_known: a file that was looked into, as the program on mappings sees it. */
struct aa_hold_file {
  __u64 ino;
  __u32 dev;
  __u32 inode_generation;
};

/* hold_ring: a watched process maps a file that nobody looked into. */
#define AA_HOLD_RING_BYTES (64 * 1024)
struct aa_hold_record {
  struct aa_hold_file file;
  __u64 since_ns;
  __u32 tgid;
  __u32 reserved;
};

/* tls_calls: a call under way, by where its frame is: survives fibres, nesting and tail calls. */
struct aa_tls_call_key {
  __u64 stack;
  __u32 tgid;
  __u32 reserved;
};

struct aa_tls_call {
  __u64 object;
  __u64 data;
  __u64 out;      /* where the library says how much, 0: in its result */
  __u64 start_ns; /* of its process */
  __u32 told;     /* the connection's, when the call began: another number at its end, and an inner call has told it */
  __u32 function;
  __u32 tid;
  __u32 listening; /* that heard it begin */
  /* at its end: */
  __u64 left;         /* bytes still to be taken */
  __u64 not_taken;    /* bytes beyond what is taken of one call */
  struct aa_tls head; /* of the next record */
};

/* tls_threads: the TCP sockets that a thread uses around its calls. */
struct aa_tls_thread {
  __u64 object;     /* of its last call */
  __u32 is_inside;  /* of that call */
  __u32 is_pending; /* the call took bytes: what is sent next are they */
  __u32 unnoted;    /* calls that there was no room to note, and that have not ended yet */
  __u32 reserved;
  struct aa_tls_peer during; /* used inside of the call */
  struct aa_tls_peer before; /* received from last, outside of calls */
};

/* tls_connections: one TLS object of a process. */
struct aa_tls_object {
  __u64 object;
  __u32 tgid;
  __u32 reserved;
};

struct aa_tls_state {
  __u64 start_ns; /* of its process */
  __u64 born_ns;
  __u64 used_ns;   /* the last time bytes moved */
  __u64 freed_ns;  /* 0: not yet. A child may still have it from before */
  __u64 offset[2]; /* bytes so far, received and sent */
  __u32 told[2];   /* calls so far */
  __u32 frame[2];  /* where the frame of the last of them was, its lower half */
  __u32 id;
  __u32 inherited_from;
  __u32 image;
  __u32 references; /* beyond the first */
  __u32 flags;      /* AA_TLS_FLAG_FROM_START */
  __u32 announced;  /* what is known of it was told */
  struct aa_tls_peer peer;
  __u32 since;     /* its process's, and its library's */
  __u32 sending;   /* where the frame of a call is that sends what was told before, its lower half; 0 none */
  __u32 listening; /* its library's alone */
};

/* What a file descriptor of the caller refers to, asked of the kernel by running a program on it. */
#define AA_LEARN_MAX 256u
struct aa_learned {
  __u64 ino;
  __u32 mode; /* S_IFMT */
  __u32 dev;
  __u32 inode_generation;
  __u32 fd;       /* in */
  __u32 is_known; /* out: 1 when the rest is filled */
  __u32 reserved;
};

/* moves: key __u32 tgid. Processes the next scan shall give to another slot. */
struct aa_move {
  __u64 start_ns;
  __u32 slot;
  __u32 reserved;
};

/* What one pass of the task iterator shall do, besides listing every process. In .bss: one scan at a time. */
#define AA_SCAN_INSERT 1u /* take `tgid` into the watched set as the root of `slot` */
#define AA_SCAN_ADOPT 2u  /* take in every process whose parent is watched */
#define AA_SCAN_MOVE 4u   /* entries of slot `from` named in moves, or whose parent has `slot`, go to `slot` */
#define AA_SCAN_RETURN 8u /* every entry of slot `from` goes to `slot` */
#define AA_SCAN_SWEEP 16u /* every entry of slot `from` leaves the watched set */
#define AA_SCAN_COUNT 32u /* count what finds no room (set in one pass only: the next meets the same again) */

struct aa_scan {
  __u32 mode; /* AA_SCAN_* */
  __u32 tgid;
  __u32 slot;
  __u32 from;
  __u32 self;    /* out: the thread group that reads the iterator, which is never watched */
  __u32 changed; /* out: entries this pass inserted, moved or removed */
  __u32 outer;   /* out: the slot the root belonged to, 0 none */
  __u32 root_of; /* out: the slot it is the root of already, 0 none */
  __u32 serial;  /* 16 bits, one per enrolment: marks whom it adopted */
  __u32 reserved;
};

#pragma GCC diagnostic pop

#endif
