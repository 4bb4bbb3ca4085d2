/* A path from kernel objects: dentries up, through mounts, to a root or to the mount namespace's. No string of the
 * caller is believed. */
#ifndef AA_PATH_BPF_H
#define AA_PATH_BPF_H

#include "lib/maps.bpf.h"

#define AA_WALK_RUNNING 0u
#define AA_WALK_ROOT 1u     /* reached the root asked for */
#define AA_WALK_OUTSIDE 2u  /* reached the namespace's root without meeting the one asked for */
#define AA_WALK_DETACHED 3u /* an object outside every tree: memfd, lazily unmounted */
#define AA_WALK_TOO_LONG 4u /* a tail */

/* "/" and 2,047 one-letter components fill a path; mounts crossed come on top: 2,112 steps. A step is a function that
 * is not static, and so is a round of steps: the verifier goes through each once, however often it is called. So the
 * longest path costs it next to nothing, on kernels without bpf_loop too. */
#define AA_WALK_ROUND 48
#define AA_WALK_ROUNDS 44

static __always_inline struct mount* mount_of(struct vfsmount* mnt) {
  return (struct mount*)((char*)mnt - bpf_core_field_offset(struct mount, mnt));
}

static __always_inline int walk_up_mount(struct aa_walk* walk, struct mount* mount) {
  struct mount* parent = BPF_CORE_READ(mount, mnt_parent);
  if (parent == mount) {
    walk->end = BPF_CORE_READ(mount, mnt_ns) ? AA_WALK_OUTSIDE : AA_WALK_DETACHED;
    return 1;
  }
  walk->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
  walk->mount = (__u64)parent;
  return 0;
}

/* Puts "/name" before what is there. */
static __always_inline int walk_prepend(struct aa_walk* walk, struct dentry* dentry) {
  __u64 len = BPF_CORE_READ(dentry, d_name.len);
  __u64 off = walk->off;
  if (len > AA_NAME_MAX || off < len + 1 || off > AA_WALK_BUFFER) {
    walk->end = AA_WALK_TOO_LONG;
    return 1;
  }
  off -= len;
  /* The masks change nothing (checked above); they prove off <= 4095 and len <= 255 to 5.10's verifier. */
  asm volatile("%0 &= 4095" : "+r"(off));
  asm volatile("%0 &= 255" : "+r"(len));
  bpf_probe_read_kernel(&walk->buffer[off], len, BPF_CORE_READ(dentry, d_name.name));
  off -= 1;
  asm volatile("%0 &= 4095" : "+r"(off));
  walk->buffer[off] = '/';
  walk->off = off;
  return 0;
}

static __always_inline int unhashed(struct dentry* dentry) {
  return BPF_CORE_READ(dentry, d_hash.pprev) == 0;
}

/* Its name was removed. A file system's root never had one. */
static __always_inline int is_removed(struct dentry* dentry) {
  return unhashed(dentry) && BPF_CORE_READ(dentry, d_parent) != dentry;
}

#endif
