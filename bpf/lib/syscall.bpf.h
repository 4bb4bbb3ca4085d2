/* What a thread asked of the kernel, read from its registers at syscall exit: they still hold the request. */
#ifndef AA_SYSCALL_BPF_H
#define AA_SYSCALL_BPF_H

#include <linux/types.h>

#include "lib/kernel.bpf.h"

/* A failed exec's arguments. */
struct aa_exec_request {
  __u64 filename;
  __u64 argv;
  __u32 compat; /* a 32-bit caller: pointers are four bytes */
  __u32 is_exec;
};

/* A mapping's. 32-bit callers' are left out: nobody listens to their libraries. */
struct aa_map_request {
  __u64 protection;
  __u64 flags;
  __u64 fd;
};

#if defined(__TARGET_ARCH_x86)

#define AA_TS_COMPAT 0x0002 /* arch/x86/include/asm/thread_info.h */

static __always_inline void exec_request_of(struct pt_regs* regs, struct task_struct* task,
                                            struct aa_exec_request* request) {
  int nr = BPF_CORE_READ(regs, orig_ax); /* the kernel takes the lower half, whatever is above */
  request->compat = !!(BPF_CORE_READ(task, thread_info.status) & AA_TS_COMPAT);
  request->is_exec = 1;
  if (request->compat && nr == 11) { /* execve(bx, cx, dx) */
    request->filename = (__u32)BPF_CORE_READ(regs, bx);
    request->argv = (__u32)BPF_CORE_READ(regs, cx);
  } else if (request->compat && nr == 358) { /* execveat(bx, cx, dx, si, di) */
    request->filename = (__u32)BPF_CORE_READ(regs, cx);
    request->argv = (__u32)BPF_CORE_READ(regs, dx);
  } else if (!request->compat && nr == 59) { /* execve(di, si, dx) */
    request->filename = BPF_CORE_READ(regs, di);
    request->argv = BPF_CORE_READ(regs, si);
  } else if (!request->compat && nr == 322) { /* execveat(di, si, dx, r10, r8) */
    request->filename = BPF_CORE_READ(regs, si);
    request->argv = BPF_CORE_READ(regs, dx);
  } else {
    request->is_exec = 0;
  }
}

/* True: it is one. */
static __always_inline int map_request_of(struct pt_regs* regs, struct task_struct* task,
                                          struct aa_map_request* request) {
  if (BPF_CORE_READ(regs, orig_ax) != 9) return 0; /* mmap(di, si, dx, r10, r8, r9) */
  if (BPF_CORE_READ(task, thread_info.status) & AA_TS_COMPAT) return 0;
  request->protection = BPF_CORE_READ(regs, dx);
  request->flags = BPF_CORE_READ(regs, r10);
  request->fd = BPF_CORE_READ(regs, r8);
  return 1;
}

#elif defined(__TARGET_ARCH_arm64)

static __always_inline void exec_request_of(struct pt_regs* regs, struct task_struct* task,
                                            struct aa_exec_request* request) {
  int nr = BPF_CORE_READ(regs, syscallno);
  (void)task;
  request->compat = 0; /* 32-bit callers are not told apart here: their numbers differ, so they are not mistaken */
  request->is_exec = nr == 221 || nr == 281;
  request->filename = nr == 281 ? BPF_CORE_READ(regs, regs[1]) : BPF_CORE_READ(regs, orig_x0);
  request->argv = nr == 281 ? BPF_CORE_READ(regs, regs[2]) : BPF_CORE_READ(regs, regs[1]);
}

static __always_inline int map_request_of(struct pt_regs* regs, struct task_struct* task,
                                          struct aa_map_request* request) {
  (void)task;
  if (BPF_CORE_READ(regs, syscallno) != 222) return 0;
  request->protection = BPF_CORE_READ(regs, regs[2]);
  request->flags = BPF_CORE_READ(regs, regs[3]);
  request->fd = BPF_CORE_READ(regs, regs[4]);
  return 1;
}

#else
#error "exec_request_of: add this architecture's registers and numbers"
#endif

#endif
