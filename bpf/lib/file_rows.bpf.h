/* Working memory of operations that hooks see in parts. A thread may sleep, or be moved aside, between and within
 * them: memory of the CPU would be somebody else's by then. So each takes a row, and gives it back. Those that wait
 * have rows of their own: however many wait, what is told at once finds one. */
#ifndef AA_FILE_ROWS_BPF_H
#define AA_FILE_ROWS_BPF_H

#include "lib/file_record.bpf.h"

/* Numbers of rows nobody uses; user space puts them all in before anything is attached. */
struct {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, 1);
  __uint(value_size, sizeof(__u32));
} aa_file_free SEC(".maps"), aa_file_free_waiting SEC(".maps");

/* Rows of the threads that are inside an enclosing function. Those that found none have a mark in its place, which says
 * what they do. */
#define AA_ROW_NONE 0x80000000u /* and the number of the call in aa_calls */
#define AA_ROW_TOLD 0x40000000u /* beside it: by a hook on the way, for there is no memory until the end */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 32768);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64); /* pid_tgid */
  __type(value, __u32);
} aa_file_inside SEC(".maps");

static __always_inline void no_row(__u32 slot, __u64 now) {
  attempt(AA_FAMILY_FILE, slot, now);
  lost(AA_FAMILY_FILE, AA_CAUSE_SCRATCH, slot, now);
}

static __always_inline void give_row(__u32 number) {
  if (number < AA_FILE_ROWS_AT_ONCE)
    bpf_map_push_elem(&aa_file_free, &number, BPF_ANY);
  else
    bpf_map_push_elem(&aa_file_free_waiting, &number, BPF_ANY);
}

/* 1 + the number of a row with a record begun, for what is told at once; 0 when the thread is not watched, or, counted,
 * when there is no row. */
__noinline int leaf_begin(__u64 address, __u32 via) {
  struct task_struct* task = (struct task_struct*)address;
  struct aa_watched* entry = watched_now(task);
  struct aa_file_scratch* s;
  __u32 number = 0;
  __u64 now;
  if (!entry) return 0;
  now = bpf_ktime_get_boot_ns();
  if (bpf_map_pop_elem(&aa_file_free, &number) && bpf_map_pop_elem(&aa_file_free_waiting, &number)) {
    no_row(entry->slot, now);
    return 0;
  }
  s = file_scratch_of(number);
  if (!s) return 0;
  begin_file(s, task, entry, via, now);
  return number + 1;
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

#define AA_CALL_IO_URING_ENTER 426 /* everywhere */

static __always_inline __u8 via_of(struct task_struct* task) {
  if (BPF_CORE_READ(task, flags) & AA_PF_IO_WORKER) return AA_VIA_IO_URING;
  return current_call(task) == AA_CALL_IO_URING_ENTER ? AA_VIA_IO_URING : AA_VIA_SYSCALL;
}

#endif
