/* io_uring's requests: whose, and what they do. */
#ifndef AA_FILE_URING_BPF_H
#define AA_FILE_URING_BPF_H

#include "lib/emit.bpf.h"
#include "lib/kernel.bpf.h"

#define AA_URING_READV 1
#define AA_URING_WRITEV 2
#define AA_URING_READ_FIXED 4
#define AA_URING_WRITE_FIXED 5
#define AA_URING_FALLOCATE 17
#define AA_URING_OPENAT 18
#define AA_URING_READ 22
#define AA_URING_WRITE 23
#define AA_URING_OPENAT2 28
#define AA_URING_SPLICE 30
#define AA_URING_RENAMEAT 35
#define AA_URING_UNLINKAT 36
#define AA_URING_MKDIRAT 37
#define AA_URING_SYMLINKAT 38
#define AA_URING_LINKAT 39
#define AA_URING_READ_MULTISHOT 49
#define AA_URING_FTRUNCATE 55
#define AA_URING_READV_FIXED 60
#define AA_URING_WRITEV_FIXED 61
#define AA_URING_QUIET 64 /* IOSQE_CQE_SKIP_SUCCESS: a success is not told */

static __always_inline struct task_struct* uring_owner(struct io_kiocb* req) {
  if (bpf_core_field_exists(req->tctx)) return BPF_CORE_READ(req, tctx, task);
  return BPF_CORE_READ((struct io_kiocb___owned*)req, task);
}

/* The struct filename of a request that lies at `request` as struct `type`. */
#define AA_URING_NAME_OF(type, request, field)                                           \
  (bpf_core_type_exists(struct delayed_filename)                                         \
       ? BPF_CORE_READ((struct type##___delayed*)(request), field.__incomplete_filename) \
       : BPF_CORE_READ((struct type*)(request), field))

static __always_inline int uring_names(__u32 opcode) {
  return opcode == AA_URING_OPENAT || opcode == AA_URING_OPENAT2 ||
         (opcode >= AA_URING_RENAMEAT && opcode <= AA_URING_LINKAT);
}

/* 1 + AA_OP_READ or AA_OP_WRITE, 0 when it moves nothing through a file. */
static __always_inline __u32 uring_moves(__u32 opcode) {
  switch (opcode) {
    case AA_URING_READV:
    case AA_URING_READ_FIXED:
    case AA_URING_READ:
    case AA_URING_READV_FIXED:
      return 1 + AA_OP_READ;
    case AA_URING_WRITEV:
    case AA_URING_WRITE_FIXED:
    case AA_URING_WRITE:
    case AA_URING_WRITEV_FIXED:
      return 1 + AA_OP_WRITE;
    default:
      return 0;
  }
}

/* Requests that were asked for, and whose completion nobody was told of yet. The kernel does not tell of completions
 * that find no room, nor of those that are looked for by nobody until the process is gone: what is left then user space
 * counts, and what the kernel uses again is counted here. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);   /* the request's address */
  __type(value, __u32); /* tgid */
} aa_uring_open SEC(".maps");

__noinline int uring_opened(__u64 request, __u32 tgid) {
  if (!bpf_map_update_elem(&aa_uring_open, &request, &tgid, BPF_NOEXIST)) return 0;
  ledger_count(AA_FAMILY_FILE, AA_CAUSE_UNSEEN, bpf_ktime_get_boot_ns()); /* the one before, or there is no room */
  bpf_map_update_elem(&aa_uring_open, &request, &tgid, BPF_EXIST);
  return 0;
}

static __always_inline void uring_ended(__u64 request) {
  bpf_map_delete_elem(&aa_uring_open, &request);
}

static __always_inline int is_quiet(struct io_kiocb* req) {
  return (BPF_CORE_READ(req, flags) & AA_URING_QUIET) != 0;
}

#endif
