/* The text behind an exec record: argv, filename, interpreter, exe, cwd, packed back to back. */
#ifndef AA_RECORD_TEXT_BPF_H
#define AA_RECORD_TEXT_BPF_H

#include "lib/path.bpf.h"

/* Of the walk in the scratch of that kind; true when it has ended. */
__noinline int walk_step(__u32 kind) {
  struct aa_scratch* s = scratch_of(kind);
  struct dentry *dentry, *parent;
  struct aa_walk* walk;
  struct mount* mount;
  if (!s) return 1;
  walk = &s->walk;
  dentry = (struct dentry*)walk->dentry;
  mount = (struct mount*)walk->mount;
  if (walk->dentry == walk->root_dentry && walk->mount == walk->root_mount) {
    walk->end = AA_WALK_ROOT;
    return 1;
  }
  if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) return walk_up_mount(walk, mount);
  parent = BPF_CORE_READ(dentry, d_parent);
  if (parent == dentry || !parent) {
    walk->end = AA_WALK_DETACHED;
    return 1;
  }
  if (walk_prepend(walk, dentry)) return 1;
  walk->dentry = (__u64)parent;
  return 0;
}

__noinline int walk_round(__u32 kind) {
  for (int i = 0; i < AA_WALK_ROUND; i++)
    if (walk_step(kind)) return 1;
  return 0;
}

__noinline int walk_steps(__u32 kind) {
  for (int i = 0; i < AA_WALK_ROUNDS; i++)
    if (walk_round(kind)) break;
  return 0;
}

/* Walks from `path` to `root` (both copied out of the kernel); `walk` is that of the scratch of `kind`. Afterwards
 * walk->end tells how it ended and walk->buffer[walk->off ..) holds the path, empty for the root itself. */
static __always_inline void walk_path(struct aa_walk* walk, __u32 kind, struct path* path, struct path* root) {
  walk->dentry = (__u64)path->dentry;
  walk->mount = (__u64)mount_of(path->mnt);
  walk->root_dentry = (__u64)root->dentry;
  walk->root_mount = (__u64)mount_of(root->mnt);
  walk->off = AA_WALK_BUFFER;
  walk->end = AA_WALK_RUNNING;
  walk_steps(kind);
  if (walk->end == AA_WALK_RUNNING) walk->end = AA_WALK_TOO_LONG;
}

/* How much of argv a record may carry, bytes. Set before load, at most AA_ARGV_LIMIT. */
const volatile __u32 aa_argv_limit = 64 * 1024;

/* Lengths that were checked already; the mask repeats it for the verifier. */
#define AA_BOUND_TEXT(value) asm volatile("%0 &= 0x1ffff" : "+r"(value))
#define AA_BOUND_PATH(value) asm volatile("%0 &= 0x1fff" : "+r"(value))

/* argv as it lies in the new program's memory. It was written an instant ago, so it is resident; should a page have
 * been swapped out the record says so instead of guessing. */
static __always_inline __u64 put_argv(struct aa_scratch* s, struct mm_struct* mm) {
  __u64 start = BPF_CORE_READ(mm, arg_start);
  __u64 len = BPF_CORE_READ(mm, arg_end) - start;
  s->record.argv_total = len;
  if (len > aa_argv_limit) {
    len = aa_argv_limit;
    s->record.flags |= AA_EXEC_ARGV_CUT;
  }
  AA_BOUND_TEXT(len);
  if (len && bpf_probe_read_user(s->text, len, (void*)start)) {
    s->record.flags |= AA_EXEC_ARGV_FAULT;
    len = 0;
  }
  s->record.argv_len = len;
  return len;
}

/* A kernel string, at most `AA_PATH_MAX` bytes with its NUL; returns its length. */
static __always_inline __u32 put_kernel_string(struct aa_scratch* s, __u64 off, const char* string) {
  long len;
  AA_BOUND_TEXT(off);
  len = bpf_probe_read_kernel_str(&s->text[off], AA_PATH_MAX, string);
  return len > 0 ? len - 1 : 0;
}

static __always_inline __u32 put_user_string(struct aa_scratch* s, __u64 off, const void* string) {
  long len;
  AA_BOUND_TEXT(off);
  len = bpf_probe_read_user_str(&s->text[off], AA_PATH_MAX, string);
  return len > 0 ? len - 1 : 0;
}

/* What the walk found, "/" for the root itself; returns its length. */
static __always_inline __u32 put_walked(struct aa_scratch* s, __u64 off) {
  __u64 from = s->walk.off;
  __u64 len = AA_WALK_BUFFER - from;
  AA_BOUND_TEXT(off);
  if (from >= AA_WALK_BUFFER) {
    s->text[off] = '/';
    return 1;
  }
  asm volatile("%0 &= 4095" : "+r"(from));
  len = AA_WALK_BUFFER - from;
  AA_BOUND_PATH(len);
  if (len > AA_WALK_BUFFER) return 0;
  bpf_probe_read_kernel(&s->text[off], len, &s->walk.buffer[from]);
  return len;
}

/* An object without a place in any tree is named by its dentry alone: "memfd:NAME". */
static __always_inline __u32 put_dentry_name(struct aa_scratch* s, __u64 off, struct dentry* dentry) {
  __u64 len = BPF_CORE_READ(dentry, d_name.len);
  if (len > AA_NAME_MAX) len = AA_NAME_MAX;
  asm volatile("%0 &= 255" : "+r"(len));
  AA_BOUND_TEXT(off);
  bpf_probe_read_kernel(&s->text[off], len, BPF_CORE_READ(dentry, d_name.name));
  return len;
}

#define AA_MEMFD_PREFIX 6
static __always_inline int is_memfd(struct dentry* dentry) {
  char name[AA_MEMFD_PREFIX] = {};
  bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
  return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' && name[5] == ':';
}

static __always_inline __u32 put_exe(struct aa_scratch* s, __u32 kind, __u64 off, struct mm_struct* mm,
                                     struct path* root) {
  struct path path = {};
  struct file* file = BPF_CORE_READ(mm, exe_file);
  if (!file) return 0;
  s->record.exe_dev = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
  s->record.exe_ino = BPF_CORE_READ(file, f_inode, i_ino);
  BPF_CORE_READ_INTO(&path, file, f_path);
  walk_path(&s->walk, kind, &path, root);
  if (s->walk.end == AA_WALK_DETACHED && s->walk.off == AA_WALK_BUFFER) {
    s->record.flags |= is_memfd(path.dentry) ? AA_EXEC_MEMFD : AA_EXEC_EXE_CUT;
    return put_dentry_name(s, off, path.dentry);
  }
  if (s->walk.end == AA_WALK_DETACHED || s->walk.end == AA_WALK_TOO_LONG) s->record.flags |= AA_EXEC_EXE_CUT;
  if (unhashed(path.dentry)) s->record.flags |= AA_EXEC_DELETED;
  return put_walked(s, off);
}

static __always_inline __u32 put_cwd(struct aa_scratch* s, __u32 kind, __u64 off, struct fs_struct* fs,
                                     struct path* root) {
  struct path path = {};
  BPF_CORE_READ_INTO(&path, fs, pwd);
  if (!path.mnt || !path.dentry) return 0;
  walk_path(&s->walk, kind, &path, root);
  if (s->walk.end == AA_WALK_DETACHED || s->walk.end == AA_WALK_TOO_LONG) s->record.flags |= AA_EXEC_CWD_CUT;
  if (is_removed(path.dentry)) s->record.flags |= AA_EXEC_CWD_DELETED;
  return put_walked(s, off);
}

#endif
