/* Record layouts: everything the kernel writes and user space reads, and nothing else.
 *
 * Comes in: nothing. Goes out: struct layouts shared by bpf/ (clang -target bpf) and daemon/event, daemon/probe (g++).
 * Rules: __u* types only, no padding (an error below), sizes asserted on both sides. Kinds and fields are appended,
 * never reused: last year's capture must replay. A record is as long as its strings: `size` bytes in all.
 */
#ifndef AA_ABI_EVENT_H
#define AA_ABI_EVENT_H

#include <linux/types.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

#define AA_RECORD_VERSION 1

/* Record kinds. */
#define AA_KIND_FORK 1
#define AA_KIND_EXEC 2
#define AA_KIND_EXIT 3
#define AA_KIND_EXEC_FAILED 4 /* same layout as EXEC, result < 0, text read from the caller's memory */
#define AA_KIND_REFUSED 5     /* a process that found no room in the watched set; layout of FORK */
#define AA_KIND_ADOPTED 6 /* a process that entered the watched set while a tree was being enrolled; layout of FORK */

#define AA_COMM_LEN 16
#define AA_PATH_MAX 4096          /* longest path the walker writes, terminating NUL not counted */
#define AA_INTERP_MAX 256         /* longest "#!" interpreter kept */
#define AA_ARGV_LIMIT (96 * 1024) /* upper bound of the configurable argv limit, bytes */

/* Who: the thread group's identity as the kernel knows it, never /proc's. 96 bytes. */
struct aa_header {
  __u16 version;         /* AA_RECORD_VERSION */
  __u16 kind;            /* AA_KIND_* */
  __u32 size;            /* of the whole record, header included, bytes */
  __u64 boot_ns;         /* CLOCK_BOOTTIME when it happened */
  __u64 start_ns;        /* thread group's start, CLOCK_BOOTTIME (task->start_boottime of the leader) */
  __u64 parent_start_ns; /* the same of its birth parent, 0 when unknown */
  __u64 cgroup_id;       /* cgroup v2 id (kernfs node id), 0 when unknown */
  __u32 tgid;            /* in the initial pid namespace */
  __u32 tid;             /* the thread that did it, initial pid namespace */
  __u32 parent_tgid;     /* birth parent */
  __u32 ns_tgid;         /* in the process's own pid namespace; equals tgid in the initial one */
  __u32 uid;             /* effective ids: what the kernel judges by... */
  __u32 gid;
  __u32 image; /* how many successful execs this process had, this one included */
  __u32 slot;  /* its target: AA_SLOT_* of filter.h (row and generation) */
  __u32 flags; /* AA_HEADER_* */
  __u32 reserved;
  __u8 comm[AA_COMM_LEN];
};

#define AA_HEADER_DISCOVERED 2u     /* exec: it started the target in `slot`, by its name */
#define AA_HEADER_PARENT_CURRENT 1u /* parent_* is the current parent: the process is older than our observation */

/* fork, refused, adopted: the header is the parent's for FORK and REFUSED, the process's own for ADOPTED. */
struct aa_fork {
  struct aa_header header;
  __u64 child_start_ns;
  __u32 child_tgid;
  __u32 child_ns_tgid;
};

/* exec: then, back to back and without NULs of their own: argv (NUL after every element, as in memory), filename,
 * interpreter, exe, cwd. Lengths in bytes. */
struct aa_exec {
  struct aa_header header;
  __u32 argv_len;
  __u32 argv_total; /* bytes argv really had; greater than argv_len when cut */
  __u32 argc;       /* elements argv really had */
  __u32 filename_len;
  __u32 interp_len;
  __u32 exe_len;
  __u32 cwd_len;
  __u32 flags;  /* AA_EXEC_* */
  __s32 result; /* 0, or a negative errno */
  __u32 reserved;
};

#define AA_EXEC_ARGV_CUT 1u
#define AA_EXEC_ARGV_FAULT 2u /* argv's memory could not be read: nothing of it is here */
#define AA_EXEC_MEMFD 4u
#define AA_EXEC_DELETED 8u  /* the executable has no name any more */
#define AA_EXEC_EXE_CUT 16u /* exe is a tail: too long or its mount is detached */
#define AA_EXEC_CWD_CUT 32u
#define AA_EXEC_FILENAME_CUT 64u
#define AA_EXEC_INTERP_CUT 128u
#define AA_EXEC_CWD_DELETED 256u
#define AA_EXEC_STDIN_INET 512u /* standard input is an IPv4 or IPv6 socket */

/* exit: the last thread has left. */
struct aa_exit {
  struct aa_header header;
  __u32 status; /* as wait(2) gives it: code << 8 | signal | 0x80 core */
  __u32 reserved;
};

/* One row of the task iterator's output: a living process, watched or not. */
struct aa_task_row {
  __u64 start_ns;
  __u64 parent_start_ns; /* birth parent if watched, else the current parent */
  __u64 cgroup_id;
  __u32 tgid;
  __u32 ns_tgid;
  __u32 parent_tgid;
  __u32 uid;
  __u32 gid;
  __u32 image;
  __u32 slot;
  __u32 flags; /* AA_TASK_* */
  __u8 comm[AA_COMM_LEN];
};

#define AA_TASK_WATCHED 1u
#define AA_TASK_ADOPTED 2u  /* entered the watched set with this enrolment (the root too) */
#define AA_TASK_KERNEL 4u   /* a kernel thread */
#define AA_TASK_THREAD 8u   /* asked for by the id of a thread that is not its leader; tgid names its process */
#define AA_TASK_REFUSED 16u /* belongs inside, but there was no room */
#define AA_TASK_BIRTH 32u   /* parent_* is the birth parent */
#define AA_TASK_SELF 64u    /* the daemon */
#define AA_TASK_DEAD 128u   /* every thread has left; only its parent has not asked yet */

#pragma GCC diagnostic pop

#define AA_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed size")
#ifdef __cplusplus
#undef AA_ASSERT_SIZE
#define AA_ASSERT_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type " changed size")
#endif
AA_ASSERT_SIZE(struct aa_header, 96);
AA_ASSERT_SIZE(struct aa_fork, 112);
AA_ASSERT_SIZE(struct aa_exec, 136);
AA_ASSERT_SIZE(struct aa_exit, 104);
AA_ASSERT_SIZE(struct aa_task_row, 72);

#endif
