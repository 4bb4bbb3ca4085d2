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

#define AA_KIND_FILE 7     /* a file operation */
#define AA_KIND_FILE_SUM 8 /* reads and writes of one process on one file, summed */

#define AA_KIND_TLS 9             /* bytes that a TLS library took or gave */
#define AA_KIND_TLS_CONNECTION 10 /* where a connection came from */
#define AA_KIND_TLS_CLOSED 11     /* its object is gone or begins anew; layout of TLS, no bytes */

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
  __u32 flags;   /* AA_EXEC_* */
  __s32 result;  /* 0, or a negative errno */
  __u32 exe_dev; /* the executable's file, the kernel's own pair; 0 of a failed exec */
  __u64 exe_ino;
  __u64 stdin_pipe; /* which pipe descriptor 0 reads, and 1 writes: the same number at both ends; 0 none */
  __u64 stdout_pipe;
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

/* File operations, in the order of the events' names. */
#define AA_OP_OPEN 0
#define AA_OP_READ 1
#define AA_OP_WRITE 2
#define AA_OP_CREATE 3
#define AA_OP_UNLINK 4
#define AA_OP_RMDIR 5
#define AA_OP_MKDIR 6
#define AA_OP_MKNOD 7
#define AA_OP_RENAME 8
#define AA_OP_LINK 9
#define AA_OP_SYMLINK 10
#define AA_OP_TRUNCATE 11
#define AA_OP_CHMOD 12
#define AA_OP_CHOWN 13
#define AA_OP_MMAP 14
#define AA_OP_MPROTECT 15
#define AA_OPS 16

#define AA_HOOK_TRACEPOINT 0
#define AA_HOOK_KPROBE 1
#define AA_HOOK_FENTRY 2
#define AA_HOOK_LSM 3

#define AA_VIA_SYSCALL 0
#define AA_VIA_IO_URING 1

/* One path of a file operation. `path` is from the mount namespace's root, "" for that root itself; `root` is where in
 * it the process's root was met. */
struct aa_file_path {
  __u16 path_len;
  __u16 root; /* bytes before the part below the process's root; AA_ROOT_UNMET: never met */
  __u16 requested_len;
  __u16 flags;     /* AA_PATH_* */
  __u16 inner_len; /* where a part of another tree, or a procfs, is mounted on it: the path from its own root */
  __u16 reserved[3];
};

#define AA_ROOT_UNMET 0xffffu

#define AA_PATH_GIVEN 1u       /* there is such a path */
#define AA_PATH_BASE 2u        /* path is the folder that `requested` starts from, nothing was resolved */
#define AA_PATH_DELETED 4u     /* has no name any more */
#define AA_PATH_DETACHED 8u    /* in no tree of this mount namespace; path is a name for people */
#define AA_PATH_TOO_LONG 16u   /* path is a tail */
#define AA_PATH_CHANGED 32u    /* requested differed between the call's beginning and its end */
#define AA_PATH_UNREADABLE 64u /* requested could not be read */
#define AA_PATH_PROC 128u      /* in a procfs, wherever that is mounted */
#define AA_PATH_PIPE 256u      /* a pipe without a name */
#define AA_PATH_SOCKET 512u    /* a socket without a name */

#define AA_FILE_OBJECTS 8
#define AA_FILE_OBJECTS_ANY 4 /* the others are for those that a rule denies */

/* file: then, back to back: at's path, inner path, requested; the same of to. */
struct aa_file {
  struct aa_header header;
  __u64 ino;        /* the kernel's own pair, 0 when no object was seen */
  __u64 bytes;      /* read, write: moved by this call */
  __u64 file;       /* names the open file: the sum this record opened; 0 none */
  __u64 generation; /* of the path rules it was judged by */
  __s64 result;     /* descriptor, bytes, or a negative errno */
  __u32 dev;
  __u32 inode_generation;
  __u32 open_flags; /* open: O_*; mmap, mprotect: PROT_*; rename: RENAME_* */
  __u32 mode;
  __u32 flags; /* AA_FILE_* */
  __u8 op;
  __u8 hook;
  __u8 via;
  __u8 objects; /* of `object`, used */
  struct aa_file_path at;
  struct aa_file_path to;
  __u32 object[AA_FILE_OBJECTS]; /* rule objects met: the file's and its folders' */
  __u16 below_mount;    /* bytes of at's path below the last mount point on it; AA_NO_MOUNT: none was crossed */
  __u8 objects_within;  /* of `object`, met by at: in or below the root of what is mounted there, … */
  __u8 objects_on_path; /* … and further up, … */
  __u8 objects_at;      /* … and in the folders where a bound part really lies */
  __u8 reserved[3];
};

#define AA_NO_MOUNT 0xffffu

#define AA_FILE_FLAGS 1u    /* open_flags is meant */
#define AA_FILE_MODE 2u     /* mode is meant */
#define AA_FILE_DENIED 4u   /* a rule that denies names one of the objects */
#define AA_FILE_WATCHED 16u /* a rule that watches does: each read and write is told */
#define AA_FILE_BOUND 32u   /* a part of another tree is mounted on at's path */
#define AA_FILE_FOREIGN 64u /* by a process of another mount namespace than where names are looked up */
#define AA_FILE_FOLDER 128u /* the object of an operation on names, where that was seen, is a folder */

/* Names a sum: one process's use of one open file. */
struct aa_sum_key {
  __u64 file;
  __u64 ino;
  __u64 start_ns;
  __u32 dev;
  __u32 inode_generation;
  __u32 tgid;
  __u32 generation; /* of the rules it was judged by, its lower half: a sum never spans two sets */
};

struct aa_sum {
  __u64 read_bytes;
  __u64 write_bytes;
  __u64 reads;
  __u64 writes;
  __u64 generation; /* of the rules it was judged by */
  __u64 last_ns;
  __u32 told; /* 1 << AA_OP_READ, 1 << AA_OP_WRITE: its first call was reported */
  __u32 slot;
};

struct aa_file_sum {
  struct aa_header header;
  struct aa_sum_key key;
  struct aa_sum sum;
};

/* tls: then `size` - sizeof(struct aa_tls) bytes of the stream. The ring's record may be longer: what is behind is
 * anything. Short, as most calls are: who it is about was told by the lifecycle ring. */
struct aa_tls {
  __u16 version;
  __u16 kind;
  __u32 size;
  __u64 boot_ns;
  __u64 start_ns;
  __u32 tgid;
  __u32 tid;
  __u32 slot;
  __u32 image;
  __u64 offset;      /* in this direction of the connection, of the first byte */
  __u32 length;      /* bytes of the stream this record stands for, sent along or not */
  __u32 call_length; /* bytes the whole call moved */
  __u32 connection;  /* never used twice while the family is loaded */
  __u8 function;     /* AA_TLS_* of tls.h */
  __u8 flags;        /* AA_TLS_FLAG_* */
  __u16 reserved;
};

#define AA_TLS_FLAG_FROM_START 1u /* the connection was seen since its first byte */
#define AA_TLS_FLAG_FULL 2u       /* its target's level: bytes are not to be redacted */
#define AA_TLS_FLAG_UNREAD 4u     /* the memory could not be read */
#define AA_TLS_FLAG_CUT 8u        /* the call was longer than what is taken of one */
#define AA_TLS_FLAG_FILE 16u      /* the bytes came from a file */

/* How it is known: the socket that was given to the library; the one that was used inside of its call; the one that its
 * thread read from last before, or wrote to next after it. */
#define AA_TLS_PEER_DESCRIPTOR 1
#define AA_TLS_PEER_CALL 2
#define AA_TLS_PEER_THREAD 3

/* Where a connection comes from, and where it leads. */
struct aa_tls_peer {
  __u8 family; /* 0 unknown, AF_INET, AF_INET6 */
  __u8 source; /* AA_TLS_PEER_* */
  __u16 port;  /* in the machine's order */
  __u8 address[16];
};

struct aa_tls_connection {
  struct aa_tls tls;
  __u32 inherited_from; /* the connection that a fork copied, 0 none */
  struct aa_tls_peer peer;
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
AA_ASSERT_SIZE(struct aa_exec, 160);
AA_ASSERT_SIZE(struct aa_exit, 104);
AA_ASSERT_SIZE(struct aa_file, 232);
AA_ASSERT_SIZE(struct aa_file_sum, 192);
AA_ASSERT_SIZE(struct aa_tls, 64);
AA_ASSERT_SIZE(struct aa_tls_connection, 88);
AA_ASSERT_SIZE(struct aa_task_row, 72);

#endif
