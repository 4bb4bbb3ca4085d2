/* Operations on names, as far as the caller's own words tell: the folder they start from, and the name. */
#ifndef AA_FILE_NAME_BPF_H
#define AA_FILE_NAME_BPF_H

#include "lib/file_call.bpf.h"
#include "lib/file_record.bpf.h"

/* Another number when a relative name starts from another folder; 0: from none. */
static __always_inline __u64 start_folder(struct task_struct* task, __u64 dirfd) {
  struct file* file;
  __u32 changes = 0;
  if ((__s32)dirfd == AA_AT_FDCWD) {
    struct fs_struct* fs = BPF_CORE_READ(task, fs);
    bpf_probe_read_kernel(&changes, sizeof(changes), (char*)fs + bpf_core_field_offset(struct fs_struct, seq));
    return 1 + (__u64)changes;
  }
  file = file_of(task, dirfd);
  return file ? (__u64)BPF_CORE_READ(file, f_path.dentry) : 0;
}

/* Whether a name that the call began with started from another place then: one that is whole, from another root. */
static __always_inline int has_moved(struct aa_file_scratch* s, struct task_struct* task, int is_whole) {
  if (!s->request.asked) return 0;
  if (is_whole) return s->asked.own != start_folder(task, (__u64)AA_AT_FDCWD);
  return s->asked.folder[s->request.which & 1] != start_folder(task, s->request.dirfd);
}

/* The folder that a name starts from, and the name. */
__noinline __u64 put_name(__u32 kind, __u64 address) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct task_struct* task = (struct task_struct*)address;
  struct aa_file_path* at;
  __u64 folder = 0, len, off;
  char first = 0;
  if (!s) return 0;
  at = s->request.which == AA_TO ? &s->record.to : &s->record.at;
  at->flags |= AA_PATH_BASE;
  off = s->request.off;
  len = put_requested(kind, off + AA_PATH_MAX);
  AA_BOUND_FILE_TEXT(off);
  first = s->text[off + AA_PATH_MAX];
  if (len && first == '/') {
    s->path = s->root;
  } else if ((__s32)s->request.dirfd == AA_AT_FDCWD) {
    s->path = s->pwd;
  } else {
    struct file* file = file_of(task, s->request.dirfd);
    __builtin_memset(&s->path, 0, sizeof(s->path));
    if (file) BPF_CORE_READ_INTO(&s->path, file, f_path);
  }
  if (len && has_moved(s, task, first == '/')) at->flags |= AA_PATH_CHANGED;
  s->more.base = len != 0;
  folder = put_path(kind, s->request.which, off);
  s->more.base = 0;
  /* The name was put a path's length further on: bring it behind the folder. */
  len = at->requested_len;
  AA_BOUND_FILE_TEXT(off);
  asm volatile("%0 &= 0x1fff" : "+r"(folder));
  asm volatile("%0 &= 0xfff" : "+r"(len));
  if (off + folder + len < AA_FILE_TEXT_MAX && off + AA_PATH_MAX < AA_FILE_TEXT_MAX) {
    __u64 to = off + folder;
    AA_BOUND_FILE_TEXT(to);
    bpf_probe_read_kernel(&s->text[to], len, &s->text[off + AA_PATH_MAX]);
  }
  return folder + len;
}

#define AA_AT_REMOVEDIR 0x200

static __always_inline void request_name(struct aa_file_scratch* s, __u64 dirfd, __u64 pointer, __u64 off,
                                         __u32 which) {
  s->request.dirfd = dirfd;
  s->request.pointer = pointer;
  s->request.off = off;
  s->request.which = which;
}

/* What the call is, and its mode or its flags where those are told. */
static __always_inline void describe_call(struct aa_file_scratch* s, __u32 row) {
  const volatile struct aa_call* call = &aa_calls[row & (AA_CALLS - 1)];
  s->record.op = call->op;
  if (call->mode != AA_ARG_NONE) {
    s->record.mode = AA_ARG(s, call->mode) & 07777;
    s->record.flags |= AA_FILE_MODE;
  }
  if (call->op == AA_OP_RENAME && AA_ARG(s, call->flags)) {
    s->record.open_flags = AA_ARG(s, call->flags);
    s->record.flags |= AA_FILE_FLAGS;
  }
  if (call->op == AA_OP_UNLINK && AA_ARG(s, call->flags) & AA_AT_REMOVEDIR) s->record.op = AA_OP_RMDIR;
}

__noinline int on_name(__u32 kind, __u64 address, __u32 row) {
  const volatile struct aa_call* call = &aa_calls[row & (AA_CALLS - 1)];
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct task_struct* task = (struct task_struct*)address;
  struct aa_file* record;
  struct file* file = 0;
  __u64 text;
  if (!s) return 0;
  record = &s->record;
  describe_call(s, row);
  request_name(s, AA_ARG(s, call->dirfd), AA_ARG(s, call->path), 0, 0);
  text = put_name(kind, address);
  if (!record->at.requested_len && (__s32)AA_ARG(s, call->dirfd) >= 0) file = file_of(task, AA_ARG(s, call->dirfd));
  if (file) { /* "" with AT_EMPTY_PATH: the descriptor's own file */
    record->at.flags &= ~AA_PATH_BASE;
    put_inode(s, BPF_CORE_READ(file, f_inode));
  }
  if (call->shape == AA_SHAPE_NAMES) {
    AA_BOUND_FILE_TEXT(text);
    request_name(s, AA_ARG(s, call->dirfd2), AA_ARG(s, call->path2), text, 1);
    text += put_name(kind, address);
  }
  emit_file(s, text);
  return 0;
}

#endif
