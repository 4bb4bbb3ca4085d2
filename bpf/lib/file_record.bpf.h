/* One file record: begun, its paths put behind it, sent to the ring it belongs to. */
#ifndef AA_FILE_RECORD_BPF_H
#define AA_FILE_RECORD_BPF_H

#include "lib/file_path.bpf.h"
#include "lib/watched.bpf.h"

#define AA_BOUND_FILE_TEXT(value) asm volatile("%0 &= 0x7fff" : "+r"(value))

/* Working memory, or the attempt is one that was lost. */
static __always_inline struct aa_file_scratch* file_scratch_or_count(__u32 kind, __u32 slot, __u64 now) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  if (s) return s;
  attempt(AA_FAMILY_FILE, slot, now);
  lost(AA_FAMILY_FILE, AA_CAUSE_SCRATCH, slot, now);
  return 0;
}

static __always_inline void begin_file(struct aa_file_scratch* s, struct task_struct* task, struct aa_watched* entry,
                                       __u8 via, __u64 now) {
  struct fs_struct* fs = BPF_CORE_READ(task, fs);
  __builtin_memset(&s->record, 0, sizeof(s->record));
  header_from_task(&s->record.header, task, AA_KIND_FILE, 0, now);
  header_from_entry(&s->record.header, entry);
  s->record.hook = AA_FILE_HOOK;
  s->record.via = via;
  s->record.generation = aa_file_state.generation;
  s->more.joining = 0;
  s->more.base = 0;
  s->more.namespace = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns);
  if (BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum) != aa_file_state.home) s->record.flags |= AA_FILE_FOREIGN;
  BPF_CORE_READ_INTO(&s->root, fs, root);
  BPF_CORE_READ_INTO(&s->pwd, fs, pwd);
}

static __always_inline __u64 put_file_walked(struct aa_file_scratch* s, __u64 off) {
  __u64 from = s->walk.off;
  __u64 len;
  AA_BOUND_FILE_TEXT(off);
  if (from >= AA_WALK_BUFFER) return 0;
  asm volatile("%0 &= 4095" : "+r"(from));
  len = AA_WALK_BUFFER - from;
  asm volatile("%0 &= 0x1fff" : "+r"(len));
  if (len > AA_WALK_BUFFER) return 0;
  bpf_probe_read_kernel(&s->text[off], len, &s->walk.buffer[from]);
  return len;
}

/* An object in no tree is named by its dentry, "memfd:NAME"; user space names pipes and sockets. */
static __always_inline __u64 put_file_name(struct aa_file_scratch* s, __u64 off, struct dentry* dentry) {
  __u64 len = BPF_CORE_READ(dentry, d_name.len);
  if (len > AA_NAME_MAX) len = AA_NAME_MAX;
  asm volatile("%0 &= 255" : "+r"(len));
  AA_BOUND_FILE_TEXT(off);
  bpf_probe_read_kernel(&s->text[off], len, BPF_CORE_READ(dentry, d_name.name));
  return len;
}

#define AA_AT 0u
#define AA_TO 1u

/* By a signal: the kernel makes the call again, or an EINTR of it (ERESTARTSYS to ERESTART_RESTARTBLOCK). */
static __always_inline int is_interrupted(long result) {
  return result <= -512 && result >= -516;
}

/* Whether the path can be taken at its word: what is mounted on it may be a part of another tree. */
static __always_inline void put_mount(struct aa_file_scratch* s) {
  s->record.below_mount = s->more.mount ? AA_WALK_BUFFER + 1 - s->more.mount : AA_NO_MOUNT;
  s->record.objects_within = s->more.within;
  s->record.objects_on_path = s->more.on_path;
  s->record.objects_at = s->record.objects;
  if (s->more.beyond) s->record.flags |= AA_FILE_BOUND;
}

#define AA_PROC_MAGIC 0x9fa0       /* PROC_SUPER_MAGIC */
#define AA_PIPE_MAGIC 0x50495045   /* PIPEFS_MAGIC */
#define AA_SOCKET_MAGIC 0x534f434b /* SOCKFS_MAGIC */

static __always_inline __u32 kind_flags(struct dentry* dentry) {
  __u64 magic = BPF_CORE_READ(dentry, d_sb, s_magic);
  if (magic == AA_PROC_MAGIC) return AA_PATH_PROC;
  if (magic == AA_PIPE_MAGIC) return AA_PATH_PIPE;
  return magic == AA_SOCKET_MAGIC ? AA_PATH_SOCKET : 0;
}

/* Rules are held against its path in its own file system too. */
static __always_inline int has_inner(struct aa_file_scratch* s, struct aa_file_path* at) {
  return !(at->flags & AA_PATH_BASE) && (s->more.beyond || at->flags & AA_PATH_PROC);
}

/* Walks s->path and puts it at `off`; returns the bytes put. */
__noinline __u64 put_path(__u32 kind, __u32 which, __u64 off) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct aa_file_path* at;
  struct dentry* dentry;
  __u64 len;
  if (!s) return 0;
  at = which == AA_TO ? &s->record.to : &s->record.at;
  dentry = s->path.dentry;
  at->flags |= AA_PATH_GIVEN;
  if (!dentry || !s->path.mnt) {
    at->flags |= AA_PATH_DETACHED;
    return 0;
  }
  file_walk(kind);
  if (which == AA_AT) put_mount(s);
  if (s->walk.end == AA_WALK_DETACHED) at->flags |= AA_PATH_DETACHED;
  if (s->walk.end == AA_WALK_TOO_LONG) at->flags |= AA_PATH_TOO_LONG;
  if (is_removed(dentry)) at->flags |= AA_PATH_DELETED;
  at->root = s->more.root ? s->more.root - s->walk.off : AA_ROOT_UNMET;
  len = s->walk.off == AA_WALK_BUFFER && s->walk.end == AA_WALK_DETACHED ? put_file_name(s, off, dentry)
                                                                         : put_file_walked(s, off);
  at->path_len = len;
  at->flags |= kind_flags(dentry);
  if (which == AA_AT && s->more.judge && has_inner(s, at) && inner_walk(kind)) {
    at->inner_len = put_file_walked(s, off + len);
    len += at->inner_len;
  }
  return len;
}

/* True when the `len` bytes at `off`, as far as they were kept, are those that the call began with. Words that are
 * aligned, and a function of its own: the verifier goes through it once, not once for each length. */
__noinline int begins_as_asked(__u32 kind, __u64 off, __u32 len) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  __u32 which;
  if (!s) return 0;
  which = s->request.which & 1;
  if (len >= AA_ASKED_HEAD) len = AA_ASKED_HEAD - 1; /* of a longer one, the head's last byte is its NUL */
  AA_BOUND_FILE_TEXT(off);
  bpf_probe_read_kernel(s->again, sizeof(s->again), &s->text[off]);
  for (__u32 i = 0; i < AA_ASKED_WORDS; i++) {
    __u64 differs = s->again[i] ^ s->asked.head[which][i];
    if (len <= i * 8 + 8) { /* beyond the NUL anything may stand */
      __u64 beyond = (i * 8 + 8 - len) * 8;
      return !(differs << (beyond & 63));
    }
    if (differs) return 0;
  }
  return 1;
}

static __always_inline struct aa_asked_long* asked_long(__u32 which) {
  struct aa_kept_key key = {.thread = bpf_get_current_pid_tgid(), .place = which};
  return bpf_map_lookup_elem(&aa_asked_long_now, &key);
}

/* The same of the bytes behind the head, which is overwritten. */
__noinline int goes_on_as_asked(__u32 kind, __u64 off, __u32 len) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct aa_asked_long* kept;
  __u32 which, i;
  if (!s || len <= AA_ASKED_STEP) return 1;
  which = s->request.which & 1;
  kept = asked_long(which);
  if (!kept) return 1;
  for (i = AA_ASKED_STEP; i < AA_PATH_MAX; i += AA_ASKED_STEP) {
    if (i >= len) return 1;
    bpf_probe_read_kernel(s->asked.head[which], AA_ASKED_HEAD, &kept->text[i]);
    if (!begins_as_asked(kind, off + i, len - i)) return 0;
  }
  return 1;
}

/* Puts what the call began with, as far as it was kept; returns its length. */
static __always_inline long put_asked(struct aa_file_scratch* s, __u32 which, __u64 off) {
  struct aa_asked_long* kept = asked_long(which);
  long len = s->asked.length[which];
  AA_BOUND_FILE_TEXT(off);
  if (kept) return bpf_probe_read_kernel_str(&s->text[off], AA_PATH_MAX, kept->text);
  bpf_probe_read_kernel(&s->text[off], AA_ASKED_HEAD, s->asked.head[which]);
  return len > AA_ASKED_HEAD ? AA_ASKED_HEAD : len;
}

/* What the caller asked for. At a call's end its memory is resident, but it may have been written to meanwhile: what
 * the call began with is the better witness when the two differ. */
__noinline __u64 put_requested(__u32 kind, __u64 off) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct aa_file_path* at;
  __u32 which;
  long len;
  if (!s) return 0;
  which = s->request.which & 1;
  at = which == AA_TO ? &s->record.to : &s->record.at;
  AA_BOUND_FILE_TEXT(off);
  len = s->request.in_kernel ? bpf_probe_read_kernel_str(&s->text[off], AA_PATH_MAX, (void*)s->request.pointer)
                             : bpf_probe_read_user_str(&s->text[off], AA_PATH_MAX, (void*)s->request.pointer);
  if (s->request.asked && s->asked.length[which] > 0) {
    if (len <= 0 || !begins_as_asked(kind, off, len) || !goes_on_as_asked(kind, off, len)) {
      if (len > 0) at->flags |= AA_PATH_CHANGED;
      len = put_asked(s, which, off);
    }
  }
  at->flags |= AA_PATH_GIVEN;
  if (len <= 0) {
    at->flags |= AA_PATH_UNREADABLE;
    return 0;
  }
  at->requested_len = len - 1;
  return len - 1;
}

static __always_inline void put_inode(struct aa_file_scratch* s, struct inode* inode) {
  s->record.ino = BPF_CORE_READ(inode, i_ino);
  s->record.dev = BPF_CORE_READ(inode, i_sb, s_dev);
  s->record.inode_generation = generation_of(inode);
}

/* What an overlay maps is the file below it: the path that was opened is kept apart. The bits alone do not tell, so
 * what is found must be a path: of one file system. */
static __always_inline int put_opened_path(struct aa_file_scratch* s, struct file* file) {
  struct backing_file* backing = (struct backing_file*)file;
  struct path opened = {};
  struct super_block* super;
  if (!bpf_core_field_exists(backing->user_path) || !(BPF_CORE_READ(file, f_mode) & AA_FMODE_BACKING)) return 0;
  BPF_CORE_READ_INTO(&opened, backing, user_path);
  super = BPF_CORE_READ(opened.mnt, mnt_sb);
  if (!super || super != BPF_CORE_READ(opened.dentry, d_sb)) return 0;
  s->path = opened;
  put_inode(s, BPF_CORE_READ(opened.dentry, d_inode));
  return 1;
}

static __always_inline __u64 put_file(struct aa_file_scratch* s, __u32 kind, struct file* file, __u64 off) {
  if (!put_opened_path(s, file)) {
    BPF_CORE_READ_INTO(&s->path, file, f_path);
    put_inode(s, BPF_CORE_READ(file, f_inode));
  }
  return put_path(kind, AA_AT, off);
}

/* The reader is woken once for each time it went to wait: a batch costs one wake-up. */
static __always_inline __u64 wake_flags(void) {
  if (!aa_file_state.idle) return BPF_RB_NO_WAKEUP;
  aa_file_state.idle = 0;
  return BPF_RB_FORCE_WAKEUP;
}

/* Sends the record with `text` bytes behind it; true when a ring took it. */
static __always_inline int try_file(struct aa_file_scratch* s, __u64 text) {
  __u64 size = sizeof(s->record) + text;
  AA_BOUND_FILE_TEXT(size);
  s->record.header.size = size;
  if (s->record.flags & AA_FILE_DENIED) return !bpf_ringbuf_output(&aa_lifecycle, &s->record, size, 0);
  return !bpf_ringbuf_output(&aa_file_ring, &s->record, size, wake_flags());
}

static __always_inline void emit_file(struct aa_file_scratch* s, __u64 text) {
  __u64 now = s->record.header.boot_ns;
  __u32 slot = s->record.header.slot;
  attempt(AA_FAMILY_FILE, slot, now);
  if (!try_file(s, text)) lost(AA_FAMILY_FILE, AA_CAUSE_RING_FULL, slot, now);
}

#endif
