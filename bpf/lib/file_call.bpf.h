/* The request of a system call, read from the caller's registers: which call, and its six arguments. */
#ifndef AA_FILE_CALL_BPF_H
#define AA_FILE_CALL_BPF_H

#include "lib/file_maps.bpf.h"
#include "lib/syscall.bpf.h"
#include "lib/syscall_table.bpf.h"
#include "lib/task.bpf.h"

#define AA_AT_FDCWD (-100)
#define AA_EAGAIN (-11)
#define AA_O_LARGEFILE 0100000 /* the kernel adds it for 64-bit callers */

/* The call's row of aa_calls, 0 when it does not touch files. */
static __always_inline __u32 call_of(struct pt_regs* regs, struct task_struct* task) {
#if defined(__TARGET_ARCH_x86)
  /* The kernel takes the lower half for the number, whatever is above; x32 has the same numbers up to 512. */
  __u64 number = (__u32)BPF_CORE_READ(regs, orig_ax) & ~0x40000000u;
  int compat = !!(BPF_CORE_READ(task, thread_info.status) & AA_TS_COMPAT);
#else
  __u64 number = BPF_CORE_READ(regs, syscallno);
  int compat = 0;
  (void)task;
#endif
  if (number >= AA_NUMBERS) return 0;
  return compat ? aa_numbers_compat[number] : aa_numbers[number];
}

static __always_inline void read_arguments(struct aa_file_scratch* s, struct pt_regs* regs, struct task_struct* task) {
#if defined(__TARGET_ARCH_x86)
  if (BPF_CORE_READ(task, thread_info.status) & AA_TS_COMPAT) {
    s->args[0] = (__u32)BPF_CORE_READ(regs, bx);
    s->args[1] = (__u32)BPF_CORE_READ(regs, cx);
    s->args[2] = (__u32)BPF_CORE_READ(regs, dx);
    s->args[3] = (__u32)BPF_CORE_READ(regs, si);
    s->args[4] = (__u32)BPF_CORE_READ(regs, di);
    s->args[5] = (__u32)BPF_CORE_READ(regs, bp);
  } else {
    s->args[0] = BPF_CORE_READ(regs, di);
    s->args[1] = BPF_CORE_READ(regs, si);
    s->args[2] = BPF_CORE_READ(regs, dx);
    s->args[3] = BPF_CORE_READ(regs, r10);
    s->args[4] = BPF_CORE_READ(regs, r8);
    s->args[5] = BPF_CORE_READ(regs, r9);
  }
#else
  (void)task;
  s->args[0] = BPF_CORE_READ(regs, orig_x0);
  s->args[1] = BPF_CORE_READ(regs, regs[1]);
  s->args[2] = BPF_CORE_READ(regs, regs[2]);
  s->args[3] = BPF_CORE_READ(regs, regs[3]);
  s->args[4] = BPF_CORE_READ(regs, regs[4]);
  s->args[5] = BPF_CORE_READ(regs, regs[5]);
#endif
  s->args[AA_ARG_CWD] = (__u64)AA_AT_FDCWD;
  s->args[AA_ARG_NONE] = 0;
}

#define AA_ARG(s, which) ((s)->args[(which)&7])

#endif
