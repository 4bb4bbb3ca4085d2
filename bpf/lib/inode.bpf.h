/* Which file an inode is: a number is used again, and an overlay's inodes have nothing of their own that tells. */
#ifndef AA_INODE_BPF_H
#define AA_INODE_BPF_H

#include "lib/kernel.bpf.h"

#define AA_OVERLAY_MAGIC 0x794c7630 /* OVERLAYFS_SUPER_MAGIC */

/* The dentry of its upper folder lies right behind the inode that all file systems have (struct ovl_inode of 5.10 to
 * 7.2; its module's types are not in the kernel's BTF). */
static __always_inline struct inode* upper_inode(struct inode* inode) {
  struct dentry* upper = 0;
  bpf_probe_read_kernel(&upper, sizeof(upper), (char*)inode + bpf_core_type_size(struct inode));
  return upper ? BPF_CORE_READ(upper, d_inode) : 0;
}

/* Tells two files apart that had the same number, one after the other. Of an overlay: what lies in its upper folder
 * alone has its number from there, and takes the generation too; what was copied up keeps the number of the lower one,
 * which nobody uses again. */
static __always_inline __u32 generation_of(struct inode* inode) {
  __u32 generation = BPF_CORE_READ(inode, i_generation);
  struct inode* upper;
  if (BPF_CORE_READ(inode, i_sb, s_magic) != AA_OVERLAY_MAGIC) return generation;
  upper = upper_inode(inode);
  if (!upper || BPF_CORE_READ(upper, i_ino) != BPF_CORE_READ(inode, i_ino)) return generation;
  return BPF_CORE_READ(upper, i_generation);
}

#endif
