/* A path from kernel objects up to the root of the mount namespace; on the way, each folder is held against the rules
 * and the process's own root is noted. */
#ifndef AA_FILE_PATH_BPF_H
#define AA_FILE_PATH_BPF_H

#include "lib/path.bpf.h"
#include "lib/rules.bpf.h"

/* Crosses from a mount's root to where it is mounted; true when there is nothing above. What the part of a tree lies in
 * says something of it wherever it is mounted, also as a namespace's root or nowhere. */
static __always_inline int file_cross(struct aa_file_scratch* s, struct mount* mount, struct dentry* dentry) {
  struct mount* parent = BPF_CORE_READ(mount, mnt_parent);
  if (!s->more.beyond && BPF_CORE_READ(dentry, d_parent) != dentry) s->more.beyond = (__u64)dentry;
  if (parent == mount) {
    s->walk.end = (__u64)BPF_CORE_READ(mount, mnt_ns) == s->more.namespace ? AA_WALK_ROOT : AA_WALK_DETACHED;
    return 1;
  }
  if (!s->more.mount) {
    s->more.mount = s->walk.off + 1;
    s->more.within = s->record.objects;
  }
  s->walk.dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
  s->walk.mount = (__u64)parent;
  return 0;
}

/* True when the walk has ended. */
__noinline int file_step(__u32 kind) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct dentry *dentry, *parent;
  struct mount* mount;
  if (!s) return 1;
  dentry = (struct dentry*)s->walk.dentry;
  mount = (struct mount*)s->walk.mount;
  if (s->walk.dentry == s->walk.root_dentry && s->walk.mount == s->walk.root_mount && !s->more.root)
    s->more.root = s->walk.off;
  if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) return file_cross(s, mount, dentry);
  parent = BPF_CORE_READ(dentry, d_parent);
  if (parent == dentry || !parent) {
    s->walk.end = AA_WALK_DETACHED;
    return 1;
  }
  if (s->more.judge) match_inode(kind, s, BPF_CORE_READ(parent, d_inode), AA_OBJECT_DIRECTORY);
  if (walk_prepend(&s->walk, dentry)) { /* no room: the rules' folders are met all the same */
    if (!s->more.beyond) s->more.beyond = (__u64)parent;
    return 1;
  }
  s->walk.dentry = (__u64)parent;
  return 0;
}

/* True at the root of the file system. */
__noinline int beyond_step(__u32 kind) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct dentry *dentry, *parent;
  if (!s) return 1;
  dentry = (struct dentry*)s->more.beyond;
  parent = BPF_CORE_READ(dentry, d_parent);
  if (parent == dentry || !parent) return 1;
  match_inode(kind, s, BPF_CORE_READ(parent, d_inode), AA_OBJECT_DIRECTORY);
  s->more.beyond = (__u64)parent;
  return 0;
}

__noinline int file_round(__u32 kind) {
  for (int i = 0; i < AA_WALK_ROUND; i++)
    if (file_step(kind)) return 1;
  return 0;
}

__noinline int beyond_round(__u32 kind) {
  for (int i = 0; i < AA_WALK_ROUND; i++)
    if (beyond_step(kind)) return 1;
  return 0;
}

/* The same up to the root of its file system, whatever is mounted where. */
__noinline int inner_step(__u32 kind) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct dentry *dentry, *parent;
  if (!s) return 1;
  dentry = (struct dentry*)s->walk.dentry;
  parent = BPF_CORE_READ(dentry, d_parent);
  if (parent == dentry || !parent) {
    s->walk.end = AA_WALK_ROOT;
    return 1;
  }
  if (walk_prepend(&s->walk, dentry)) return 1;
  s->walk.dentry = (__u64)parent;
  return 0;
}

__noinline int inner_round(__u32 kind) {
  for (int i = 0; i < AA_WALK_ROUND; i++)
    if (inner_step(kind)) return 1;
  return 0;
}

/* Walks from s->path in its own file system; true when walk.buffer[walk.off ..) holds the whole path there. */
__noinline int inner_walk(__u32 kind) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  if (!s) return 0;
  s->walk.dentry = (__u64)s->path.dentry;
  s->walk.off = AA_WALK_BUFFER;
  s->walk.end = AA_WALK_RUNNING;
  for (int i = 0; i < AA_WALK_ROUNDS; i++)
    if (inner_round(kind)) break;
  return s->walk.end == AA_WALK_ROOT;
}

/* Walks from s->path. Afterwards walk.end is AA_WALK_ROOT for a whole path, and walk.buffer[walk.off ..) holds it,
 * empty for the namespace's root. */
__noinline int file_walk(__u32 kind) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  int i;
  if (!s) return 0;
  s->walk.dentry = (__u64)s->path.dentry;
  s->walk.mount = (__u64)mount_of(s->path.mnt);
  s->walk.root_dentry = (__u64)s->root.dentry;
  s->walk.root_mount = (__u64)mount_of(s->root.mnt);
  s->walk.off = AA_WALK_BUFFER;
  s->walk.end = AA_WALK_RUNNING;
  s->more.root = 0;
  s->more.mount = 0;
  s->more.within = 0;
  s->more.beyond = 0;
  s->more.judge = s->record.generation != 0;
  if (s->more.judge) match_self(kind, (__u64)s->path.dentry, s->more.base);
  for (i = 0; i < AA_WALK_ROUNDS; i++)
    if (file_round(kind)) break;
  s->more.on_path = s->record.objects;
  for (i = 0; s->more.judge && s->more.beyond && i < AA_WALK_ROUNDS; i++)
    if (beyond_round(kind)) break;
  if (s->walk.end == AA_WALK_RUNNING) s->walk.end = AA_WALK_TOO_LONG;
  return 0;
}

#endif
