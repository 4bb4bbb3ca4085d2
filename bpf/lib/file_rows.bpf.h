/* Working memory of operations that hooks see in parts. A thread may sleep, or be moved aside, between and within
 * them: memory of the CPU would be somebody else's by then. So each takes a row, and gives it back. */
#ifndef AA_FILE_ROWS_BPF_H
#define AA_FILE_ROWS_BPF_H

#include "lib/file_record.bpf.h"

/* Numbers of rows nobody uses; user space puts them all in before anything is attached. */
struct {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, 1);
  __uint(value_size, sizeof(__u32));
} aa_file_free SEC(".maps");

/* Rows of the threads that are inside an enclosing function. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64); /* pid_tgid */
  __type(value, __u32);
} aa_file_inside SEC(".maps");

/* True with a row; else the attempt is one that was lost. */
static __always_inline int take_row(__u32* number, __u32 slot, __u64 now) {
  if (!bpf_map_pop_elem(&aa_file_free, number)) return 1;
  attempt(AA_FAMILY_FILE, slot, now);
  lost(AA_FAMILY_FILE, AA_CAUSE_SCRATCH, slot, now);
  return 0;
}

static __always_inline void give_row(__u32 number) {
  bpf_map_push_elem(&aa_file_free, &number, BPF_ANY);
}

/* A kernel pointer as the number it is: what hooks are given are typed pointers, which functions of their own and maps
 * do not take everywhere. */
static __always_inline __u64 plain(const void* pointer) {
  __u64 address = 0;
  bpf_probe_read_kernel(&address, sizeof(address), &pointer);
  return address;
}

#define AA_KERNEL_STACK 16384 /* before 5.15: THREAD_SIZE of x86-64 and arm64, the registers at its end */

/* The system call that brought the thread here. */
static __always_inline __u64 current_call(struct task_struct* task) {
  struct pt_regs* regs;
  if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
    regs = (struct pt_regs*)bpf_task_pt_regs(bpf_get_current_task_btf());
  else /* before 5.15 */
    regs = (struct pt_regs*)((char*)BPF_CORE_READ(task, stack) + AA_KERNEL_STACK - bpf_core_type_size(struct pt_regs));
#if defined(__TARGET_ARCH_x86)
  return (__u32)BPF_CORE_READ(regs, orig_ax);
#else
  return BPF_CORE_READ(regs, syscallno);
#endif
}

static __always_inline int in_exec(struct task_struct* task) {
  __u64 call = current_call(task);
#if defined(__TARGET_ARCH_x86)
  if (BPF_CORE_READ(task, thread_info.status) & AA_TS_COMPAT) return call == 11 || call == 358;
  return call == 59 || call == 322;
#else
  return call == 221 || call == 281;
#endif
}

#define AA_PF_IO_WORKER 0x10
#define AA_CALL_IO_URING_ENTER 426 /* everywhere */

static __always_inline __u8 via_of(struct task_struct* task) {
  if (BPF_CORE_READ(task, flags) & AA_PF_IO_WORKER) return AA_VIA_IO_URING;
  return current_call(task) == AA_CALL_IO_URING_ENTER ? AA_VIA_IO_URING : AA_VIA_SYSCALL;
}

#endif
