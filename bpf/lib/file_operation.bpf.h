/* An operation on names, by its parts: an enclosing function begins and ends it, hooks inside see the objects. What no
 * hook saw (the name was not there) is told by the kernel's copy of the caller's words. */
#ifndef AA_FILE_OPERATION_BPF_H
#define AA_FILE_OPERATION_BPF_H

#include "lib/file_name.bpf.h"
#include "lib/file_rows.bpf.h"

#define AA_SEEN_OBJECT 1u /* its path is put, what was asked for is not yet */
#define AA_SEEN_ALL 2u
#define AA_EINPROGRESS (-115)

static __always_inline void clear_operation(struct aa_file_scratch* s, __u32 call) {
  __builtin_memset(&s->operation, 0, sizeof(s->operation));
  __builtin_memset(&s->request, 0, sizeof(s->request));
  __builtin_memset(s->args, 0, sizeof(s->args));
  s->operation.call = call;
  s->args[AA_ARG_CWD] = (__u64)AA_AT_FDCWD;
}

/* 1 + the number of the thread's row, 0 when it is not watched, or has a mark for want of a row. A row that is there
 * already is of an operation whose end was missed, which the kernel counts. */
__noinline int operation_begin(__u32 call) {
  __u64 id = bpf_get_current_pid_tgid();
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  struct aa_watched* entry = watched_now(task);
  struct aa_file_scratch* s;
  __u32* known;
  __u32 number = 0;
  __u64 now;
  if (!entry) return 0;
  now = bpf_ktime_get_boot_ns();
  known = bpf_map_lookup_elem(&aa_file_inside, &id);
  if (known && !(*known & AA_ROW_NONE)) {
    number = *known;
  } else {
    if (bpf_map_pop_elem(&aa_file_free_waiting, &number)) number = AA_ROW_NONE | call;
    if (bpf_map_update_elem(&aa_file_inside, &id, &number, BPF_ANY)) {
      if (!(number & AA_ROW_NONE)) give_row(number);
      no_row(entry->slot, now);
      return 0;
    }
    if (number & AA_ROW_NONE) return 0;
  }
  s = file_scratch_of(number);
  if (!s) return 0;
  begin_file(s, task, entry, via_of(task), now);
  clear_operation(s, call);
  return number + 1;
}

static __always_inline struct aa_file_scratch* begun(__u32 call) {
  __u32 number = operation_begin(call);
  return number ? file_scratch_of(number - 1) : 0;
}

/* The thread's operation, when it is of this kind. */
static __always_inline struct aa_file_scratch* inside(__u32 op, __u32* number) {
  __u64 id = bpf_get_current_pid_tgid();
  __u32* row = bpf_map_lookup_elem(&aa_file_inside, &id);
  struct aa_file_scratch* s;
  if (!row) return 0;
  *number = *row;
  s = file_scratch_of(*number);
  return s && s->record.op == op ? s : 0;
}

/* The mark that the thread has in place of a row, when it is of an operation of this kind. */
static __always_inline __u32* marked(__u32 op) {
  __u64 id = bpf_get_current_pid_tgid();
  __u32* mark = bpf_map_lookup_elem(&aa_file_inside, &id);
  __u32 of;
  if (!mark || !(*mark & AA_ROW_NONE)) return 0;
  of = aa_calls[*mark & (AA_CALLS - 1)].op;
  return of == op || (of == AA_OP_UNLINK && op == AA_OP_RMDIR) ? mark : 0;
}

static __always_inline int is_inside(__u32 op) {
  __u32 number = 0;
  return inside(op, &number) || marked(op);
}

/* An operation without a row is told by the hook that sees its object, before it has ended, by a row for the moment. */
__noinline int early_begin(__u32 op) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  __u32* mark = marked(op);
  struct aa_file_scratch* s;
  __u32 number;
  if (!mark || *mark & AA_ROW_TOLD) return 0;
  *mark |= AA_ROW_TOLD;
  number = leaf_begin((__u64)task, via_of(task));
  if (!number) return 0;
  s = file_scratch_of(number - 1);
  if (!s) return 0;
  clear_operation(s, 0);
  s->operation.is_early = 1;
  s->record.op = op;
  s->record.result = AA_EINPROGRESS;
  return number;
}

/* The thread's operation of this kind; to be followed by end_seen(). */
static __always_inline struct aa_file_scratch* inside_or_early(__u32 op, __u32* number) {
  struct aa_file_scratch* s = inside(op, number);
  __u32 early;
  if (s) return s;
  early = early_begin(op);
  *number = early - 1;
  return early ? file_scratch_of(early - 1) : 0;
}

__noinline int end_seen(__u32 number) {
  struct aa_file_scratch* s = file_scratch_of(number);
  if (!s || !s->operation.is_early) return 0;
  emit_file(s, s->operation.text);
  give_row(number);
  return 0;
}

/* The kernel may try a second time: what it saw before is void. */
static __always_inline void forget_seen(struct aa_file_scratch* s) {
  __builtin_memset(&s->record.at, 0, sizeof(s->record.at));
  __builtin_memset(&s->record.to, 0, sizeof(s->record.to));
  s->record.objects = 0;
  s->record.flags &= ~(AA_FILE_DENIED | AA_FILE_WATCHED | AA_FILE_BOUND | AA_FILE_FOLDER);
  s->operation.text = 0;
  s->operation.seen = 0;
  s->operation.joined = 0;
  s->more.joining = 0;
}

/* Puts s->path. */
__noinline int see_path(__u32 number, __u32 which) {
  struct aa_file_scratch* s = file_scratch_of(number);
  __u64 off;
  if (!s) return 0;
  off = s->operation.text;
  AA_BOUND_FILE_TEXT(off);
  s->operation.text = off + put_path(number, which, off);
  s->operation.seen = AA_SEEN_OBJECT;
  return 0;
}

/* Puts what was asked for, behind its path. */
__noinline int see_request(__u32 number, __u32 which) {
  struct aa_file_scratch* s = file_scratch_of(number);
  const volatile struct aa_call* call;
  __u64 off;
  if (!s) return 0;
  call = &aa_calls[s->operation.call & (AA_CALLS - 1)];
  s->operation.seen = AA_SEEN_ALL;
  s->request.which = which;
  s->request.pointer = which == AA_TO ? AA_ARG(s, call->path2) : AA_ARG(s, call->path);
  if (!s->request.pointer) return 0;
  off = s->operation.text;
  AA_BOUND_FILE_TEXT(off);
  s->operation.text = off + put_requested(number, off);
  return 0;
}

/* Puts the names themselves. */
static __always_inline int see_names(__u32 number) { /* inline: calls may be eight deep */
  struct aa_file_scratch* s = file_scratch_of(number);
  const volatile struct aa_call* call;
  __u64 task = bpf_get_current_task();
  __u64 text;
  if (!s) return 0;
  call = &aa_calls[s->operation.call & (AA_CALLS - 1)];
  request_name(s, AA_ARG(s, call->dirfd), AA_ARG(s, call->path), 0, AA_AT);
  text = put_name(number, task);
  s->operation.text = text;
  s->operation.seen = AA_SEEN_ALL;
  if (call->shape != AA_SHAPE_NAMES) return 0;
  AA_BOUND_FILE_TEXT(text);
  request_name(s, AA_ARG(s, call->dirfd2), AA_ARG(s, call->path2), text, AA_TO);
  s->operation.text = text + put_name(number, task);
  return 0;
}

/* An entry of a folder is looked at: the object of an operation with one name, or the first of two. `joining`: the
 * inode that gets this name by it, 0 none. */
static __always_inline struct aa_file_scratch* see_entry(__u32 op, const struct path* folder, struct dentry* dentry,
                                                         struct inode* joining, __u32* number) {
  struct aa_file_scratch* s = inside_or_early(op, number);
  struct inode* inode;
  if (!s) return 0;
  forget_seen(s);
  s->path.mnt = (struct vfsmount*)plain(BPF_CORE_READ(folder, mnt));
  s->path.dentry = (struct dentry*)plain(dentry);
  inode = BPF_CORE_READ(dentry, d_inode);
  if (inode) put_inode(s, inode);
  if (inode && (BPF_CORE_READ(inode, i_mode) & AA_S_IFMT) == AA_S_IFDIR) s->record.flags |= AA_FILE_FOLDER;
  s->more.joining = plain(joining);
  see_path(*number, AA_AT);
  see_request(*number, AA_AT);
  return s;
}

static __always_inline int see_second(struct aa_file_scratch* s, __u32 number, const struct path* folder,
                                      struct dentry* dentry, struct inode* joining) {
  s->path.mnt = (struct vfsmount*)plain(BPF_CORE_READ(folder, mnt));
  s->path.dentry = (struct dentry*)plain(dentry);
  s->more.joining = plain(joining);
  see_path(number, AA_TO);
  see_request(number, AA_TO);
  return end_seen(number);
}

/* An object that was found by the whole name. */
static __always_inline int see_object(__u32 op, const struct path* path) {
  struct aa_file_scratch* s;
  __u32 number = 0;
  s = inside_or_early(op, &number);
  if (!s) return 0;
  forget_seen(s);
  BPF_CORE_READ_INTO(&s->path.mnt, path, mnt);
  BPF_CORE_READ_INTO(&s->path.dentry, path, dentry);
  put_inode(s, BPF_CORE_READ(path, dentry, d_inode));
  see_path(number, AA_AT);
  see_request(number, AA_AT);
  return end_seen(number);
}

/* What had no row was told by a hook on the way, or is lost. */
static __always_inline int end_unseen(__u32 mark, long result) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  struct aa_watched* entry = watched_now(task);
  if (mark & AA_ROW_TOLD || !entry || is_interrupted(result)) return 0;
  if (result != AA_EAGAIN || via_of(task) != AA_VIA_IO_URING) no_row(entry->slot, bpf_ktime_get_boot_ns());
  return 0;
}

/* The enclosing function returns. */
__noinline int operation_end(long result) {
  __u64 id = bpf_get_current_pid_tgid();
  __u32* row = bpf_map_lookup_elem(&aa_file_inside, &id);
  struct aa_file_scratch* s;
  __u32 number;
  if (!row) return 0;
  number = *row;
  bpf_map_delete_elem(&aa_file_inside, &id);
  if (number & AA_ROW_NONE) return end_unseen(number, result);
  s = file_scratch_of(number);
  if (!s) return 0;
  s->record.result = result;
  if (!s->operation.seen) see_names(number);
  if (result == 0) learn_joined(s, number);
  /* io_uring comes back in a thread that may wait. */
  if (!is_interrupted(result) && (s->record.via != AA_VIA_IO_URING || result != AA_EAGAIN))
    emit_file(s, s->operation.text);
  give_row(number);
  return 0;
}

#endif
