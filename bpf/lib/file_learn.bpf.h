/* What the kernel calls the files that path rules name. */
#ifndef AA_FILE_LEARN_BPF_H
#define AA_FILE_LEARN_BPF_H

#include "lib/file_call.bpf.h"

/* False after the last row. Global, so that the verifier looks at it once. */
__noinline int learn_row(__u32 number) {
  struct aa_learned* row = &aa_learn_rows[number & (AA_LEARN_MAX - 1)];
  struct file* file;
  struct inode* inode;
  if (!row->fd) return 0;
  file = file_of((struct task_struct*)bpf_get_current_task(), row->fd);
  if (!file) return 1;
  inode = BPF_CORE_READ(file, f_inode);
  row->ino = BPF_CORE_READ(inode, i_ino);
  row->mode = BPF_CORE_READ(inode, i_mode);
  row->dev = BPF_CORE_READ(inode, i_sb, s_dev);
  row->inode_generation = generation_of(inode);
  row->is_known = 1;
  return 1;
}

/* Run by user space on its own descriptors, never attached: what the kernel calls the files of path rules. */
SEC("raw_tp/sys_enter")
int aa_file_learn(void* context) {
  (void)context;
  for (__u32 i = 0; i < AA_LEARN_MAX; i++)
    if (!learn_row(i)) break;
  return 0;
}

#endif
