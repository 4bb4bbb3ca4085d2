/* The file family where neither LSM, fentry nor kprobe is to be had: the system call tracepoints.
 *
 * Comes in: every system call's beginning and end. Goes out: file records of the watched ones. An open file's path
 * comes from the file behind the descriptor; a call that only has names keeps them as the caller gave them, with the
 * folder they start from. One body per kind of call; which call is which is a table.
 */
#define AA_FILE_HOOK AA_HOOK_TRACEPOINT
#include "lib/file_learn.bpf.h"
#include "lib/file_name.bpf.h"
#include "lib/file_uring.bpf.h"
#include "lib/sums.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* ---- what is under way, from its beginning to its end ---- */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64); /* pid_tgid */
  __type(value, struct aa_asked);
} aa_asked_now SEC(".maps");

/* Calls of those for whom others may answer, from their beginning to their end. Those that wait longest give way. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, __u64); /* pid_tgid */
  __type(value, __u8);
} aa_begun_now SEC(".maps");

/* LRU: of some requests the end is never told, and they must not take the room of others. All of it is allocated from
 * the start. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1);
  __type(key, __u64); /* the request's address */
  __type(value, struct aa_uring_asked);
} aa_uring_now SEC(".maps");

/* ---- descriptors ---- */

#define AA_HOW_BYTES 16 /* of struct open_how: flags and mode */

__noinline int on_open(__u32 kind, __u64 address, __u32 row, long result) {
  const volatile struct aa_call* call = &aa_calls[row & (AA_CALLS - 1)];
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct task_struct* task = (struct task_struct*)address;
  struct aa_file* record;
  struct open_how how = {};
  struct file* file;
  __u64 text;
  if (!s) return 0;
  record = &s->record;
  record->op = AA_OP_OPEN;
  record->flags |= AA_FILE_FLAGS;
  if (call->shape == AA_SHAPE_OPEN_HOW) {
    if (s->request.asked && s->asked.length[1] > 0)
      bpf_probe_read_kernel(&how, AA_HOW_BYTES, s->asked.head[1]);
    else
      bpf_probe_read_user(&how, AA_HOW_BYTES, (void*)AA_ARG(s, call->flags));
    record->open_flags = how.flags;
    record->mode = how.mode;
  } else {
    record->open_flags = row == AA_CALL_CREAT ? 01101 : AA_ARG(s, call->flags); /* O_CREAT | O_WRONLY | O_TRUNC */
    record->mode = AA_ARG(s, call->mode) & 07777;
  }
  if (record->open_flags & AA_O_WITH_MODE) record->flags |= AA_FILE_MODE;
  request_name(s, AA_ARG(s, call->dirfd), AA_ARG(s, call->path), 0, 0);
  file = result < 0 || s->request.nameless ? 0 : file_of(task, result);
  if (!file) { /* it failed, or another thread has closed it already */
    text = put_name(kind, address);
    emit_file(s, text);
    return 0;
  }
  /* It may lie where one did whose end no call showed (close_range, io_uring): that one's sum is final. */
  finish_sums(kind, address, (__u64)file);
  if (BPF_CORE_READ(file, f_mode) & AA_FMODE_CREATED) record->op = AA_OP_CREATE;
  text = put_file(s, kind, file, 0);
  if (AA_ARG(s, call->path)) text += put_requested(kind, text);
  emit_file(s, text);
  return 0;
}

/* A call that did something to a file, and nobody knows to which (another thread has closed its descriptor since), or
 * whether it did: it was not seen to begin. */
static __always_inline int unseen(long result, __u64 now) {
  if (result >= 0) ledger_count(AA_FAMILY_FILE, AA_CAUSE_UNSEEN, now);
  return 0;
}

__noinline int on_object(__u64 address, __u32 row) {
  struct aa_file_scratch* s = file_scratch_of(AA_FILE_SCRATCH_EXIT);
  struct task_struct* task = (struct task_struct*)address;
  const volatile struct aa_call* call = &aa_calls[row & (AA_CALLS - 1)];
  struct file* file;
  if (!s) return 0;
  file = file_of(task, AA_ARG(s, call->fd));
  if (!file) return unseen(s->record.result, s->record.header.boot_ns);
  s->record.op = call->op;
  if (call->mode != AA_ARG_NONE) {
    s->record.mode = AA_ARG(s, call->mode) & 07777;
    s->record.flags |= AA_FILE_MODE;
  }
  emit_file(s, put_file(s, AA_FILE_SCRATCH_EXIT, file, 0));
  return 0;
}

#define AA_MAP_ANONYMOUS 0x20

__noinline int on_map(__u64 address, __u32 row) {
  struct aa_file_scratch* s = file_scratch_of(AA_FILE_SCRATCH_EXIT);
  struct task_struct* task = (struct task_struct*)address;
  const volatile struct aa_call* call = &aa_calls[row & (AA_CALLS - 1)];
  __u32 protection, flags;
  struct file* file;
  __s32 fd;
  if (!s) return 0;
  protection = AA_ARG(s, call->flags);
  flags = AA_ARG(s, call->mode);
  fd = AA_ARG(s, call->fd);
  if (call->shape == AA_SHAPE_MAP_OLD) {
    __u32 argument[6] = {};
    bpf_probe_read_user(argument, sizeof(argument), (void*)AA_ARG(s, call->fd));
    protection = argument[2];
    flags = argument[3];
    fd = argument[4];
  }
  if (flags & AA_MAP_ANONYMOUS || fd < 0) return 0;
  file = file_of(task, fd);
  if (!file) return unseen(s->record.result, s->record.header.boot_ns);
  s->record.op = AA_OP_MMAP;
  s->record.open_flags = protection;
  s->record.flags |= AA_FILE_FLAGS;
  emit_file(s, put_file(s, AA_FILE_SCRATCH_EXIT, file, 0));
  return 0;
}

/* ---- what is mapped at an address ---- */

#if AA_SINCE_5_17
struct aa_vma_context {
  __u64 file;
};

static long vma_callback(struct task_struct* task, struct vm_area_struct* vma, struct aa_vma_context* context) {
  (void)task;
  context->file = (__u64)BPF_CORE_READ(vma, vm_file);
  return 0;
}

static __always_inline struct file* mapped_at(__u64 address) {
  struct aa_vma_context context = {};
  bpf_find_vma(bpf_get_current_task_btf(), address, vma_callback, &context, 0);
  return (struct file*)context.file;
}
#else
#define AA_TREE_DEPTH 40 /* twice the logarithm of the most mappings that a process has */

static __always_inline struct file* mapped_at(__u64 address) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  struct rb_node* node = BPF_CORE_READ(task, mm, mm_rb.rb_node);
  for (__u64 i = 0; node && i < AA_TREE_DEPTH; i++) {
    struct vm_area_struct* area =
        (struct vm_area_struct*)((char*)node - bpf_core_field_offset(struct vm_area_struct, vm_rb));
    if (address < BPF_CORE_READ(area, vm_start))
      node = BPF_CORE_READ(node, rb_left);
    else if (address < BPF_CORE_READ(area, vm_end))
      return BPF_CORE_READ(area, vm_file);
    else
      node = BPF_CORE_READ(node, rb_right);
  }
  return 0;
}
#endif

#define AA_PROT_WRITE 2

/* Only what makes a file's pages writable: everything else was told by its mmap. */
__noinline int on_protect(void) {
  struct aa_file_scratch* s = file_scratch_of(AA_FILE_SCRATCH_EXIT);
  struct file* file;
  __u32 protection;
  if (!s) return 0;
  protection = s->args[2];
  if (!(protection & AA_PROT_WRITE)) return 0;
  file = mapped_at(s->args[0]);
  if (!file) return 0;
  s->record.op = AA_OP_MPROTECT;
  s->record.open_flags = protection;
  s->record.flags |= AA_FILE_FLAGS;
  emit_file(s, put_file(s, AA_FILE_SCRATCH_EXIT, file, 0));
  return 0;
}

/* ---- the pair ---- */

struct aa_actor {
  struct task_struct* task;
  struct aa_watched* entry;
  __u32 row;
  __u32 tgid;
};

static __always_inline int file_actor(struct pt_regs* regs, struct aa_actor* actor) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  actor->task = task;
  actor->row = call_of(regs, task);
  if (!actor->row) return 0;
  actor->entry = watched_now(task);
  actor->tgid = bpf_get_current_pid_tgid() >> 32;
  return actor->entry != 0;
}

static __always_inline void move_one(struct aa_file_scratch* s, struct aa_actor* actor, __u32 op, __u64 fd, long result,
                                     __u64 now) {
  struct file* file = file_of(actor->task, fd);
  if (!file) {
    unseen(result, now);
    return;
  }
  name_sum(&s->key, file, actor->tgid, actor->entry->start_ns);
  if (summed(&s->key, op, result, now)) return;
  begin_file(s, actor->task, actor->entry, AA_VIA_SYSCALL, now);
  on_moved(AA_FILE_SCRATCH_EXIT, (__u64)file, op, result);
}

/* The string as the call begins with it; it may be changed until the kernel reads it, and after. */
static __always_inline void keep_asked(struct aa_file_scratch* s, __u32 which, __u64 pointer) {
  struct aa_kept_key key = {.thread = bpf_get_current_pid_tgid(), .place = which};
  s->asked.length[which] = bpf_probe_read_user_str(s->asked.head[which], AA_ASKED_HEAD, (void*)pointer);
  if (s->asked.length[which] == AA_ASKED_HEAD &&
      bpf_probe_read_user_str(s->text, AA_PATH_MAX, (void*)pointer) > AA_ASKED_HEAD)
    bpf_map_update_elem(&aa_asked_long_now, &key, s->text, BPF_ANY);
}

static __always_inline void forget_asked(struct aa_file_scratch* s, __u32 which) {
  struct aa_kept_key key = {.thread = bpf_get_current_pid_tgid(), .place = which};
  if (s->request.asked && s->asked.length[which] == AA_ASKED_HEAD) bpf_map_delete_elem(&aa_asked_long_now, &key);
}

static __always_inline int is_error(long result) {
  return result >= -4095 && result < 0;
}

static __always_inline int has_names(__u32 shape) {
  return shape == AA_SHAPE_NAME || shape == AA_SHAPE_NAMES || shape == AA_SHAPE_OPEN || shape == AA_SHAPE_OPEN_HOW;
}

#define AA_SECCOMP_FILTER 2

/* Somebody may answer in the kernel's place: a filter of system calls, whoever that one asks, or a tracer. Such a call
 * has an end alone, with any result. */
static __always_inline int is_answered_for(struct task_struct* task) {
  if (BPF_CORE_READ(task, ptrace)) return 1;
  return bpf_core_field_exists(task->seccomp.mode) && BPF_CORE_READ(task, seccomp.mode) == AA_SECCOMP_FILTER;
}

static __always_inline void note_begun(struct task_struct* task, __u64 id) {
  __u8 begun = 1;
  if (is_answered_for(task)) bpf_map_update_elem(&aa_begun_now, &id, &begun, BPF_ANY);
}

static __always_inline int has_begun(struct task_struct* task, __u64 id) {
  return !is_answered_for(task) || !bpf_map_delete_elem(&aa_begun_now, &id);
}

static __always_inline int on_enter(struct pt_regs* regs) {
  struct aa_actor actor = {};
  struct aa_file_scratch* s;
  __u64 id = bpf_get_current_pid_tgid();
  __u32 shape;
  if (!file_actor(regs, &actor)) return 0;
  shape = aa_calls[actor.row & (AA_CALLS - 1)].shape;
  if (shape != AA_SHAPE_CLOSE && !has_names(shape)) {
    note_begun(actor.task, id);
    return 0;
  }
  s = file_scratch_of(AA_FILE_SCRATCH_ENTER);
  if (!s) return 0; /* the end of the call counts it */
  read_arguments(s, regs, actor.task);
  if (shape == AA_SHAPE_CLOSE) {
    __u32 at = aa_calls[actor.row & (AA_CALLS - 1)].fd;
    struct file* file = file_of(actor.task, AA_ARG(s, at));
    if (at && (__u32)AA_ARG(s, 0) == (__u32)AA_ARG(s, 1)) return 0; /* dup2 to itself: nothing is closed */
    if (file && last_reference(file)) finish_sums(AA_FILE_SCRATCH_ENTER, (__u64)actor.task, (__u64)file);
    return 0;
  }
  keep_asked(s, 0, AA_ARG(s, aa_calls[actor.row & (AA_CALLS - 1)].path));
  s->asked.folder[0] = start_folder(actor.task, AA_ARG(s, aa_calls[actor.row & (AA_CALLS - 1)].dirfd));
  s->asked.own = start_folder(actor.task, (__u64)AA_AT_FDCWD);
  s->asked.length[1] = -1;
  if (shape == AA_SHAPE_OPEN_HOW && /* it may be changed as well; there is no second name */
      !bpf_probe_read_user(s->asked.head[1], AA_HOW_BYTES,
                           (void*)AA_ARG(s, aa_calls[actor.row & (AA_CALLS - 1)].flags)))
    s->asked.length[1] = AA_HOW_BYTES;
  if (shape == AA_SHAPE_NAMES) {
    keep_asked(s, 1, AA_ARG(s, aa_calls[actor.row & (AA_CALLS - 1)].path2));
    s->asked.folder[1] = start_folder(actor.task, AA_ARG(s, aa_calls[actor.row & (AA_CALLS - 1)].dirfd2));
  }
  bpf_map_update_elem(&aa_asked_now, &id, &s->asked, BPF_ANY); /* without room the string of the call's end has to do */
  return 0;
}

static __always_inline int on_exit(struct pt_regs* regs, long result) {
  struct aa_actor actor = {};
  struct aa_file_scratch* s;
  struct aa_asked* asked;
  const volatile struct aa_call* call;
  __u64 id = bpf_get_current_pid_tgid();
  __u64 now;
  if (!file_actor(regs, &actor)) return 0;
  call = &aa_calls[actor.row & (AA_CALLS - 1)];
  if (call->shape == AA_SHAPE_CLOSE) return 0;
  now = bpf_ktime_get_boot_ns();
  if (!has_names(call->shape) && !has_begun(actor.task, id) && !is_error(result)) return unseen(0, now);
  s = file_scratch_or_count(AA_FILE_SCRATCH_EXIT, actor.entry->slot, now);
  if (!s) return 0;
  read_arguments(s, regs, actor.task);
  if (call->shape == AA_SHAPE_MOVE || call->shape == AA_SHAPE_COPY) {
    if (tries_again(result)) return 0;
    move_one(s, &actor, call->op, AA_ARG(s, call->fd), result, now);
    if (call->shape == AA_SHAPE_COPY) move_one(s, &actor, AA_OP_WRITE, AA_ARG(s, call->fd2), result, now);
    return 0;
  }
  begin_file(s, actor.task, actor.entry, AA_VIA_SYSCALL, now);
  s->record.result = result;
  if (call->shape == AA_SHAPE_MAP || call->shape == AA_SHAPE_MAP_OLD) {
    if (is_error(result)) return on_map((__u64)actor.task, actor.row);
    s->record.result = 0; /* an address is nobody's business */
    return on_map((__u64)actor.task, actor.row);
  }
  if (call->shape == AA_SHAPE_PROTECT) return on_protect();
  if (call->shape == AA_SHAPE_OBJECT) return on_object((__u64)actor.task, actor.row);
  asked = bpf_map_lookup_elem(&aa_asked_now, &id);
  s->request.asked = asked != 0;
  s->request.in_kernel = 0;
  s->request.nameless = 0;
  if (asked) {
    __builtin_memcpy(&s->asked, asked, sizeof(s->asked));
    bpf_map_delete_elem(&aa_asked_now, &id);
  }
  if (!asked) {
    if (!is_error(result) && is_answered_for(actor.task)) return unseen(0, now);
    s->record.at.flags |= AA_PATH_CHANGED; /* for all that is known */
    s->record.to.flags |= AA_PATH_CHANGED;
  }
  if (!is_interrupted(result)) { /* else it is begun again */
    if (call->shape == AA_SHAPE_NAME || call->shape == AA_SHAPE_NAMES)
      on_name(AA_FILE_SCRATCH_EXIT, (__u64)actor.task, actor.row);
    else
      on_open(AA_FILE_SCRATCH_EXIT, (__u64)actor.task, actor.row, result);
  }
  forget_asked(s, 0);
  forget_asked(s, 1);
  return 0;
}

SEC("raw_tp/sys_enter")
int BPF_PROG(aa_file_enter, struct pt_regs* regs, long number) {
  return on_enter(regs);
}

SEC("raw_tp/sys_exit")
int BPF_PROG(aa_file_exit, struct pt_regs* regs, long result) {
  return on_exit(regs, result);
}

/* ---- io_uring: what never was a system call ---- */

static __always_inline void keep_name(struct aa_uring_asked* asked, __u32 which, struct filename* filename) {
  bpf_probe_read_kernel_str(asked->name[which & 1], AA_URING_NAME, BPF_CORE_READ(filename, name));
}

/* The names are the kernel's own copy: whatever the program writes over its buffer now is too late. The structure
 * behind a request depends on its operation and begins where the request does. */
static __always_inline void ask_uring(struct aa_uring_asked* asked, struct io_kiocb* req, __u32 opcode) {
  if (opcode == AA_URING_OPENAT || opcode == AA_URING_OPENAT2) {
    struct io_open* open = (struct io_open*)req;
    asked->row = AA_CALL_OPENAT;
    asked->argument[0] = (__s64)BPF_CORE_READ(open, dfd);
    asked->argument[2] = BPF_CORE_READ(open, how.flags) & ~(__u64)AA_O_LARGEFILE;
    asked->argument[3] = BPF_CORE_READ(open, how.mode);
    asked->direct = BPF_CORE_READ(open, file_slot) != 0;
    keep_name(asked, 0, AA_URING_NAME_OF(io_open, req, filename));
  } else if (opcode == AA_URING_UNLINKAT) {
    struct io_unlink* unlink = (struct io_unlink*)req;
    asked->row = AA_CALL_UNLINKAT;
    asked->argument[0] = (__s64)BPF_CORE_READ(unlink, dfd);
    asked->argument[2] = BPF_CORE_READ(unlink, flags);
    keep_name(asked, 0, AA_URING_NAME_OF(io_unlink, req, filename));
  } else if (opcode == AA_URING_MKDIRAT) {
    struct io_mkdir* mkdir = (struct io_mkdir*)req;
    asked->row = AA_CALL_MKDIRAT;
    asked->argument[0] = (__s64)BPF_CORE_READ(mkdir, dfd);
    asked->argument[2] = BPF_CORE_READ(mkdir, mode);
    keep_name(asked, 0, AA_URING_NAME_OF(io_mkdir, req, filename));
  } else if (opcode == AA_URING_RENAMEAT) {
    struct io_rename* rename = (struct io_rename*)req;
    asked->row = AA_CALL_RENAMEAT2;
    asked->argument[0] = (__s64)BPF_CORE_READ(rename, old_dfd);
    asked->argument[2] = (__s64)BPF_CORE_READ(rename, new_dfd);
    asked->argument[4] = BPF_CORE_READ(rename, flags);
    keep_name(asked, 0, AA_URING_NAME_OF(io_rename, req, oldpath));
    keep_name(asked, 1, AA_URING_NAME_OF(io_rename, req, newpath));
  } else { /* link, symlink: one structure */
    struct io_link* link = (struct io_link*)req;
    asked->row = opcode == AA_URING_LINKAT ? AA_CALL_LINKAT : AA_CALL_SYMLINKAT;
    asked->argument[0] = (__s64)BPF_CORE_READ(link, old_dfd);
    asked->argument[opcode == AA_URING_LINKAT ? 2 : 1] = (__s64)BPF_CORE_READ(link, new_dfd);
    keep_name(asked, 0, AA_URING_NAME_OF(io_link, req, oldpath));
    keep_name(asked, 1, AA_URING_NAME_OF(io_link, req, newpath));
  }
}

/* The descriptor of the folder that a name starts from; of one that is whole, as if it was the working directory's. */
static __always_inline __s32 start_of(struct aa_uring_asked* asked, __u32 which) {
  const volatile struct aa_call* call = &aa_calls[asked->row & (AA_CALLS - 1)];
  __u32 place = which ? call->dirfd2 : call->dirfd;
  if (asked->name[which & 1][0] == '/' || place >= 6) return AA_AT_FDCWD;
  return asked->argument[place];
}

static __always_inline __u64 folder_now(struct task_struct* task, struct aa_uring_asked* asked, __u32 which) {
  return start_folder(task, start_of(asked, which));
}

/* A worker shares the root and the working directory that its owner had when it was made: the owner may have others by
 * now. Of a request that a worker did, and whose completion the owner has made, nobody knows. */
static __always_inline int is_by_stranger(struct task_struct* owner) {
  struct task_struct* doer = (struct task_struct*)bpf_get_current_task();
  return BPF_CORE_READ(doer, flags) & AA_PF_IO_WORKER && BPF_CORE_READ(doer, fs) != BPF_CORE_READ(owner, fs);
}

/* The program may have moved on between its request and our learning of its end. */
static __always_inline void mark_moved(struct aa_file_scratch* s, struct task_struct* task,
                                       struct aa_uring_asked* asked) {
  int is_strange = is_by_stranger(task);
  if ((is_strange && start_of(asked, 0) == AA_AT_FDCWD) || asked->folder[0] != folder_now(task, asked, 0))
    s->record.at.flags |= AA_PATH_CHANGED;
  if ((is_strange && start_of(asked, 1) == AA_AT_FDCWD) || asked->folder[1] != folder_now(task, asked, 1))
    s->record.to.flags |= AA_PATH_CHANGED;
}

static __always_inline int on_uring_submit(struct io_kiocb* req) {
  __u32 opcode = BPF_CORE_READ(req, opcode);
  struct aa_file_scratch* s;
  struct aa_watched* entry;
  __u64 key = (__u64)req;
  if (!uring_names(opcode) && !uring_moves(opcode) && opcode != AA_URING_SPLICE && opcode != AA_URING_READ_MULTISHOT)
    return 0;
  entry = watched_now(uring_owner(req));
  if (!entry) return 0;
  if (is_quiet(req) || opcode == AA_URING_SPLICE || opcode == AA_URING_READ_MULTISHOT)
    ledger_count(AA_FAMILY_FILE, AA_CAUSE_UNSEEN, bpf_ktime_get_boot_ns());
  else
    uring_opened((__u64)req, BPF_CORE_READ(uring_owner(req), tgid));
  if (!uring_names(opcode)) return 0;
  s = file_scratch_of(AA_FILE_SCRATCH_SUBMIT);
  if (!s) return 0;
  __builtin_memset(&s->uring, 0, sizeof(s->uring) - sizeof(s->uring.name));
  s->uring.name[0][0] = s->uring.name[1][0] = 0;
  ask_uring(&s->uring, req, opcode);
  s->uring.folder[0] = folder_now(uring_owner(req), &s->uring, 0);
  s->uring.folder[1] = folder_now(uring_owner(req), &s->uring, 1);
  bpf_map_update_elem(&aa_uring_now, &key, &s->uring, BPF_ANY);
  return 0;
}

/* A request with names has ended: told as the system call of that name would be. */
static __always_inline int on_uring_names(__u64 address, __u64 request, long result) {
  struct aa_file_scratch* s = file_scratch_of(AA_FILE_SCRATCH_COMPLETE);
  struct aa_uring_asked* asked = bpf_map_lookup_elem(&aa_uring_now, &request);
  __u32 row;
  if (!s) return 0;
  if (!asked) { /* asked for before its process was watched, or forgotten for others */
    ledger_count(AA_FAMILY_FILE, AA_CAUSE_UNSEEN, s->record.header.boot_ns);
    return 0;
  }
  row = asked->row;
  __builtin_memcpy(s->args, asked->argument, sizeof(asked->argument));
  s->args[AA_ARG_CWD] = (__u64)AA_AT_FDCWD;
  s->args[AA_ARG_NONE] = 0;
  s->request.in_kernel = 1;
  s->request.asked = 0;
  s->request.nameless = asked->direct;
  s->record.result = result;
  s->args[aa_calls[row & (AA_CALLS - 1)].path & 7] = (__u64)asked->name[0];
  if (aa_calls[row & (AA_CALLS - 1)].shape == AA_SHAPE_NAMES)
    s->args[aa_calls[row & (AA_CALLS - 1)].path2 & 7] = (__u64)asked->name[1];
  if (asked->direct && result >= 0) ledger_count(AA_FAMILY_FILE, AA_CAUSE_UNSEEN, s->record.header.boot_ns);
  if (row != AA_CALL_OPENAT || result < 0) mark_moved(s, (struct task_struct*)address, asked);
  if (row == AA_CALL_OPENAT)
    on_open(AA_FILE_SCRATCH_COMPLETE, address, row, result);
  else
    on_name(AA_FILE_SCRATCH_COMPLETE, address, row);
  bpf_map_delete_elem(&aa_uring_now, &request);
  return 0;
}

static __always_inline int on_uring_complete(struct io_kiocb* req) {
  struct task_struct* task;
  struct aa_file_scratch* s;
  struct aa_watched* entry;
  struct file* file;
  __u32 opcode, moves;
  __u64 now;
  long result;
  if (!req || !bpf_core_field_exists(req->cqe)) return 0; /* another one's completion, or 5.10's */
  opcode = BPF_CORE_READ(req, opcode);
  moves = uring_moves(opcode);
  if (!moves && !uring_names(opcode) && opcode != AA_URING_FALLOCATE && opcode != AA_URING_FTRUNCATE) return 0;
  task = uring_owner(req);
  entry = watched_now(task);
  if (!entry) return 0;
  uring_ended((__u64)req);
  result = BPF_CORE_READ(req, cqe.res);
  now = bpf_ktime_get_boot_ns();
  s = file_scratch_or_count(AA_FILE_SCRATCH_COMPLETE, entry->slot, now);
  if (!s) return 0;
  file = BPF_CORE_READ(req, file);
  if (moves) {
    if (!file || tries_again(result)) return 0;
    name_sum(&s->key, file, BPF_CORE_READ(task, tgid), entry->start_ns);
    if (summed(&s->key, moves - 1, result, now)) return 0;
  }
  begin_file(s, task, entry, AA_VIA_IO_URING, now);
  if (moves) return on_moved(AA_FILE_SCRATCH_COMPLETE, (__u64)file, moves - 1, result);
  if (uring_names(opcode)) return on_uring_names((__u64)task, (__u64)req, result);
  if (!file) return 0;
  s->record.op = opcode == AA_URING_FTRUNCATE ? AA_OP_TRUNCATE : AA_OP_WRITE;
  s->record.result = result;
  emit_file(s, put_file(s, AA_FILE_SCRATCH_COMPLETE, file, 0));
  return 0;
}

SEC("raw_tp/io_uring_submit_req")
int BPF_PROG(aa_uring_submit, struct io_kiocb* req) {
  return on_uring_submit(req);
}

/* Its name before 6.4. */
SEC("raw_tp/io_uring_submit_sqe")
int BPF_PROG(aa_uring_submit__sqe, struct io_kiocb* req) {
  return on_uring_submit(req);
}

SEC("raw_tp/io_uring_complete")
int BPF_PROG(aa_uring_done, void* ring, struct io_kiocb* req) {
  return on_uring_complete(req);
}
