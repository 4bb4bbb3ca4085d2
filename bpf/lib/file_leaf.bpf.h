/* Operations on an open file: one hook sees object and result together. */
#ifndef AA_FILE_LEAF_BPF_H
#define AA_FILE_LEAF_BPF_H

#include "lib/file_call.bpf.h"
#include "lib/file_rows.bpf.h"
#include "lib/sums.bpf.h"

/* Something happened to what is at `address`. `what` is the operation; with flags, or with a mode, which `value` is; of
 * an open file, or of a struct path. */
#define AA_LEAF_FLAGS 0x100u
#define AA_LEAF_MODE 0x200u
#define AA_LEAF_PATH 0x400u
__noinline int on_leaf(__u64 address, __u32 what, __u32 value, long result) {
  struct aa_file_scratch* s;
  __u64 task = bpf_get_current_task();
  __u32 number;
  if (!address) return 0;
  number = leaf_begin(task, via_of((struct task_struct*)task));
  if (!number) return 0;
  number -= 1;
  s = file_scratch_of(number);
  if (!s) return 0;
  s->record.op = what & 0xff;
  s->record.result = result;
  if (what & AA_LEAF_FLAGS) {
    s->record.open_flags = value;
    s->record.flags |= AA_FILE_FLAGS;
  }
  if (what & AA_LEAF_MODE) {
    s->record.mode = value & 07777;
    s->record.flags |= AA_FILE_MODE;
  }
  if (what & AA_LEAF_PATH) {
    BPF_CORE_READ_INTO(&s->path.mnt, (struct path*)address, mnt);
    BPF_CORE_READ_INTO(&s->path.dentry, (struct path*)address, dentry);
    put_inode(s, BPF_CORE_READ((struct path*)address, dentry, d_inode));
    emit_file(s, put_path(number, AA_AT, 0));
  } else {
    emit_file(s, put_file(s, number, (struct file*)address, 0));
  }
  give_row(number);
  return 0;
}

/* A call of `actor` that moved `result` bytes through a file; `op` has AA_LEAF_URING where it is io_uring's. */
#define AA_LEAF_URING 0x100u
__noinline int on_bytes(__u64 actor, __u64 address, __u32 op, long result) {
  struct task_struct* task = (struct task_struct*)actor;
  __u32 via = op & AA_LEAF_URING ? AA_VIA_IO_URING : AA_VIA_SYSCALL;
  struct aa_watched* entry;
  struct aa_sum_key key;
  struct file* file = (struct file*)address;
  struct aa_file_scratch* s;
  __u32 number;
  if (!file || tries_again(result)) return 0;
  entry = watched_now(task);
  if (!entry) return 0;
  op &= 0xff;
  name_sum(&key, file, BPF_CORE_READ(task, tgid), entry->start_ns);
  if (summed(&key, op, result, bpf_ktime_get_boot_ns())) return 0;
  number = leaf_begin(actor, via);
  if (!number) return 0;
  number -= 1;
  s = file_scratch_of(number);
  if (!s) return 0;
  __builtin_memcpy(&s->key, &key, sizeof(key));
  on_moved(number, address, op, result);
  give_row(number);
  return 0;
}

/* A descriptor is given up; with the last one of its file, the file's sum is final. */
__noinline int on_close(__u64 address) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  struct aa_watched* entry;
  struct aa_sum_key key;
  struct file* file = (struct file*)address;
  struct aa_file_scratch* s;
  __u32 number = 0;
  __u64 now;
  if (!file || !last_reference(file)) return 0;
  entry = watched_now(task);
  if (!entry) return 0;
  name_sum(&key, file, bpf_get_current_pid_tgid() >> 32, entry->start_ns);
  if (!bpf_map_lookup_elem(&aa_sums_a, &key) && !bpf_map_lookup_elem(&aa_sums_b, &key)) return 0;
  if (bpf_map_pop_elem(&aa_file_free, &number)) return 0; /* user space fetches the sum with the others */
  s = file_scratch_of(number);
  if (!s) return 0;
  __builtin_memcpy(&s->key, &key, sizeof(key));
  now = bpf_ktime_get_boot_ns();
  finish_sum(s, &aa_sums_a, task, entry, now);
  finish_sum(s, &aa_sums_b, task, entry, now);
  give_row(number);
  return 0;
}

#endif
