/* The exec family: which programs a watched tree ran, who started them, what ended them.
 *
 * Comes in: fork, exec and exit of every process; while a unit is watched also who is put into which control group, and
 * which are made. Goes out: lifecycle records of the watched ones, and the watched set kept true. One body per event; a
 * thin program for each way of attaching (tp_btf, and raw_tp where that is refused).
 */
#include "lib/discover.bpf.h"
#include "lib/record_text.bpf.h"
#include "lib/scan.bpf.h"
#include "lib/syscall.bpf.h"
#include "lib/units.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* ---- fork ---- */

/* The parent may be handed to another target while its child enters: the child follows. */
static __always_inline void follow_parent(__u32 child_tgid, struct aa_watched* parent, __u32 slot) {
  struct aa_watched* child;
  if (parent->slot == slot) return;
  child = bpf_map_lookup_elem(&aa_watched, &child_tgid);
  if (!child || child->slot != slot) return;
  child->slot = parent->slot;
  count_live(slot, -1);
  count_live(child->slot, 1);
}

static __always_inline int on_fork(struct task_struct* parent, struct task_struct* child) {
  __u32 parent_tgid = BPF_CORE_READ(parent, tgid);
  __u32 child_tgid = BPF_CORE_READ(child, tgid);
  struct aa_watched entry = {};
  struct aa_watched* owner;
  struct aa_fork record;
  __u64 now;
  if (parent_tgid == child_tgid) return 0; /* a thread */
  owner = member_now(parent);
  if (!owner) {
    if (aa_units_watched) enter_own_unit(child, AA_ANNOUNCE); /* born into a unit: clone3(CLONE_INTO_CGROUP) */
    return 0;
  }

  entry.start_ns = BPF_CORE_READ(child, start_boottime);
  if (watched_entry(child_tgid, entry.start_ns)) return 0; /* a scan was quicker: it is told as adopted */
  if (owner->refused_start_ns == entry.start_ns) return 0; /* by the other program */
  now = bpf_ktime_get_boot_ns();
  entry.parent_tgid = parent_tgid;
  entry.parent_start_ns = owner->start_ns;
  entry.older_tgid = owner->parent_tgid;
  entry.older_start_ns = owner->parent_start_ns;
  entry.slot = owner->slot;
  entry.image = owner->image;

  header_from_task(&record.header, parent, AA_KIND_FORK, sizeof(record), now);
  header_from_entry(&record.header, owner);
  record.header.slot = entry.slot;
  record.child_start_ns = entry.start_ns;
  record.child_tgid = child_tgid;
  record.child_ns_tgid = ns_tgid_of(child);
  if (watched_insert(child_tgid, &entry, 1)) {
    record.header.kind = AA_KIND_REFUSED;
    owner->refused_start_ns = entry.start_ns;
  } else {
    follow_parent(child_tgid, owner, entry.slot);
  }
  emit_lifecycle(&record, sizeof(record), entry.slot, now);
  return 0;
}

/* ---- exec ---- */

/* Working memory for a record; without it the record is an attempt that was lost. */
static __always_inline struct aa_scratch* scratch_or_count(__u32 kind, __u32 slot, __u64 now) {
  struct aa_scratch* s = scratch_of(kind);
  if (s) return s;
  attempt(AA_FAMILY_EXEC, slot, now);
  lost(AA_FAMILY_EXEC, AA_CAUSE_SCRATCH, slot, now);
  return 0;
}

static __always_inline void send_exec(struct aa_scratch* s, __u64 off, __u64 now) {
  __u64 size = sizeof(s->record) + off;
  AA_BOUND_TEXT(size);
  s->record.header.size = size;
  emit_lifecycle(&s->record, size, s->record.header.slot, now);
}

/* What descriptor 0, 1 or 2 is open at; every table has room for these. */
static __always_inline struct file* standard_file(struct task_struct* task, int fd) {
  struct file** table = BPF_CORE_READ(task, files, fdt, fd);
  struct file* file = 0;
  if (table) bpf_probe_read_kernel(&file, sizeof(file), table + fd);
  return file;
}

/* The same number at both ends of a pipe, a named one too; 0: it is none. */
static __always_inline __u64 pipe_of(struct file* file) {
  struct inode* inode = file ? BPF_CORE_READ(file, f_inode) : 0;
  if (!inode || (BPF_CORE_READ(inode, i_mode) & AA_S_IFMT) != AA_S_IFIFO) return 0;
  return (__u64)BPF_CORE_READ(inode, i_sb, s_dev) << 32 ^ BPF_CORE_READ(inode, i_ino);
}

/* A shell handed to the network reads its commands from there. Unix sockets are how some runtimes make pipes. */
static __always_inline int is_inet(struct file* file) {
  struct socket* socket;
  __u16 family;
  if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & AA_S_IFMT) != AA_S_IFSOCK) return 0;
  socket = BPF_CORE_READ(file, private_data);
  family = BPF_CORE_READ(socket, sk, __sk_common.skc_family);
  return family == AA_AF_INET || family == AA_AF_INET6;
}

static __always_inline void put_standard_files(struct aa_scratch* s, struct task_struct* task) {
  struct file* in = standard_file(task, 0);
  if (is_inet(in)) s->record.flags |= AA_EXEC_STDIN_INET;
  s->record.stdin_pipe = pipe_of(in);
  s->record.stdout_pipe = pipe_of(standard_file(task, 1));
}

static __always_inline void begin_exec(struct aa_scratch* s, struct task_struct* task, struct aa_watched* entry,
                                       __u16 kind, __u64 now) {
  __builtin_memset(&s->record, 0, sizeof(s->record));
  header_from_task(&s->record.header, task, kind, 0, now);
  header_from_entry(&s->record.header, entry);
}

/* `scratch`: which working memory is this program's. */
static __always_inline int on_exec(struct task_struct* task, struct linux_binprm* bprm, __u32 scratch) {
  struct aa_watched* entry = member_now(task);
  struct aa_scratch* s;
  struct mm_struct* mm;
  struct fs_struct* fs;
  struct path root = {}; /* none: to the mount namespace's, for a chroot must not rename a program */
  const char *filename, *interp;
  __u64 now, off, exec_id;
  __u32 discovered = 0;
  if (!entry && aa_discovering && scratch == AA_SCRATCH_EXEC) {
    entry = discover(task, bprm);
    discovered = AA_HEADER_DISCOVERED;
  }
  if (!entry) return 0;
  exec_id = BPF_CORE_READ(task, self_exec_id);
  if (entry->exec_id == exec_id) return 0; /* by the other program */
  entry->exec_id = exec_id;
  now = bpf_ktime_get_boot_ns();
  __sync_fetch_and_add(&entry->image, 1); /* counted even when the record is lost: the next one says how many */
  s = scratch_or_count(scratch, entry->slot, now);
  if (!s) return 0;
  begin_exec(s, task, entry, AA_KIND_EXEC, now);
  s->record.header.flags |= discovered;
  put_standard_files(s, task);
  mm = BPF_CORE_READ(task, mm);
  fs = BPF_CORE_READ(task, fs);
  s->record.argc = BPF_CORE_READ(bprm, argc);

  off = put_argv(s, mm);
  filename = BPF_CORE_READ(bprm, filename);
  s->record.filename_len = put_kernel_string(s, off, filename);
  off += s->record.filename_len;
  interp = BPF_CORE_READ(bprm, interp);
  if (interp != filename) {
    __u32 len = put_kernel_string(s, off, interp);
    if (len > AA_INTERP_MAX) {
      len = AA_INTERP_MAX;
      s->record.flags |= AA_EXEC_INTERP_CUT;
    }
    s->record.interp_len = len;
    off += len;
  }
  s->record.exe_len = put_exe(s, scratch, off, mm, &root);
  off += s->record.exe_len;
  s->record.cwd_len = put_cwd(s, scratch, off, fs, &root);
  off += s->record.cwd_len;
  send_exec(s, off, now);
  return 0;
}

/* ---- failed exec ---- */

/* 8,192 arguments, in rounds as a path's steps. */
#define AA_ARGV_ROUND 128
#define AA_ARGV_ROUNDS 64
#define AA_ARGUMENT_MAX (32 * 1024)
_Static_assert(AA_ARGV_LIMIT + AA_ARGUMENT_MAX <= AA_TEXT_MAX, "an argument read at the limit stays in the text");

/* Copies one argument; true at the array's end. */
__noinline int argv_step(__u32 kind) {
  struct aa_scratch* s = scratch_of(kind);
  struct aa_argv_walk* argv;
  __u64 argument = 0, off;
  __u32 width;
  long len;
  if (!s) return 1;
  argv = &s->argv;
  off = argv->len;
  width = argv->compat ? 4 : 8;
  if (bpf_probe_read_user(&argument, argv->compat ? 4 : 8, (void*)argv->pointer)) {
    s->record.flags |= AA_EXEC_ARGV_CUT;
    return 1;
  }
  if (!argument) return 1;
  if (off >= aa_argv_limit || off > AA_ARGV_LIMIT) {
    argv->cut = 1;
    return 1;
  }
  AA_BOUND_TEXT(off);
  if (off > AA_ARGV_LIMIT) return 1;
  len = bpf_probe_read_user_str(&s->text[off], AA_ARGUMENT_MAX, (void*)argument);
  if (len <= 0) {
    s->record.flags |= AA_EXEC_ARGV_CUT;
    return 1;
  }
  argv->pointer += width;
  argv->count += 1;
  argv->len += len;
  if (len == AA_ARGUMENT_MAX || argv->len > aa_argv_limit) {
    argv->cut = 1;
    return 1;
  }
  return 0;
}

__noinline int argv_round(__u32 kind) {
  for (int i = 0; i < AA_ARGV_ROUND; i++)
    if (argv_step(kind)) return 1;
  return 0;
}

/* All of them; false when there are more. */
__noinline int argv_steps(__u32 kind) {
  for (int i = 0; i < AA_ARGV_ROUNDS; i++)
    if (argv_round(kind)) return 1;
  return 0;
}

static __always_inline __u64 put_requested_argv(struct aa_scratch* s, struct aa_exec_request* request) {
  s->argv.pointer = request->argv;
  s->argv.compat = request->compat;
  s->argv.count = 0;
  s->argv.len = 0;
  s->argv.cut = 0;
  if (request->argv && !argv_steps(AA_SCRATCH_FAILED)) s->argv.cut = 1;
  if (s->argv.cut) s->record.flags |= AA_EXEC_ARGV_CUT;
  if (s->argv.len > aa_argv_limit) s->argv.len = aa_argv_limit;
  s->record.argc = s->argv.count;
  s->record.argv_len = s->argv.len;
  s->record.argv_total = s->argv.len;
  return s->argv.len;
}

static __always_inline int on_syscall_exit(struct pt_regs* regs, long result) {
  struct aa_exec_request request = {};
  struct task_struct* task;
  struct aa_watched* entry;
  struct aa_scratch* s;
  struct fs_struct* fs;
  struct path root = {}; /* none, as above */
  __u64 now, off;
  if (result >= 0) return 0;
  task = (struct task_struct*)bpf_get_current_task();
  exec_request_of(regs, task, &request);
  if (!request.is_exec) return 0;
  entry = member_now(task);
  if (!entry) return 0;
  now = bpf_ktime_get_boot_ns();
  s = scratch_or_count(AA_SCRATCH_FAILED, entry->slot, now);
  if (!s) return 0;
  begin_exec(s, task, entry, AA_KIND_EXEC_FAILED, now);
  s->record.result = result;
  off = put_requested_argv(s, &request);
  s->record.filename_len = put_user_string(s, off, (void*)request.filename);
  if (s->record.filename_len == AA_PATH_MAX - 1) s->record.flags |= AA_EXEC_FILENAME_CUT;
  off += s->record.filename_len;
  fs = BPF_CORE_READ(task, fs);
  s->record.cwd_len = put_cwd(s, AA_SCRATCH_FAILED, off, fs, &root);
  off += s->record.cwd_len;
  send_exec(s, off, now);
  return 0;
}

/* ---- exit ---- */

/* As wait(2) reports it: the group's code once somebody ended the group, else the leader's own. */
static __always_inline __u32 wait_status(struct task_struct* task) {
  struct signal_struct* signal = BPF_CORE_READ(task, signal);
  if (BPF_CORE_READ(signal, flags) & AA_SIGNAL_GROUP_EXIT) return BPF_CORE_READ(signal, group_exit_code);
  return BPF_CORE_READ(task, group_leader, exit_code);
}

/* A process that leaves while its tree is being enrolled, before any pass saw its children: after it they are the
 * reaper's and nothing would lead to them. */
#define AA_ORPHANS_MAX 128

/* The child whose entry in its parent's list lies at `at`; the next one's entry. Global, as what a loop calls should
 * be. */
__noinline __u64 adopt_orphan(__u64 at, __u64 leader, __u32 slot) {
  struct task_struct* child = (struct task_struct*)(at - bpf_core_field_offset(struct task_struct, sibling));
  if (!group_dead(child) && adopt((__u64)child, leader, slot, 1)) tell_adopted((__u64)child);
  return (__u64)BPF_CORE_READ(child, sibling.next);
}

static __noinline int adopt_orphans(struct task_struct* task, __u32 slot) {
  __u64 head = number_of(task) + bpf_core_field_offset(struct task_struct, children);
  __u64 leader = (__u64)leader_of(task);
  __u64 at = (__u64)BPF_CORE_READ(task, children.next);
  for (int i = 0; i < AA_ORPHANS_MAX; i++) {
    if (!at || at == head) return 0;
    at = adopt_orphan(at, leader, slot);
  }
  if (at != head) ledger_count(AA_FAMILY_EXEC, AA_CAUSE_ADOPT_CUT, bpf_ktime_get_boot_ns());
  return 0;
}

static __always_inline int on_exit(struct task_struct* task) {
  __u32 tgid = BPF_CORE_READ(task, tgid);
  struct aa_watched* entry;
  struct aa_watched last;
  struct aa_exit record = {};
  __u64 now;
  int active;
  if (!group_dead(task)) return 0;
  watched_now(task); /* while a tree is enrolled: takes itself in, so that its end is told */
  entry = watched_entry(tgid, BPF_CORE_READ(task, group_leader, start_boottime));
  if (!entry) return 0;
  __builtin_memcpy(&last, entry, sizeof(last));
  active = slot_active(last.slot);
  if (!watched_delete(tgid, last.slot)) return 0;
  if (!active) return 0;
  if (aa_enrolling) adopt_orphans(task, last.slot);
  now = bpf_ktime_get_boot_ns();
  header_from_task(&record.header, task, AA_KIND_EXIT, sizeof(record), now);
  header_from_entry(&record.header, &last);
  record.status = wait_status(task);
  emit_lifecycle(&record, sizeof(record), last.slot, now);
  return 0;
}

/* ---- attach points ---- */

/* One program for each way of attaching, of which user space loads one. */
#define AA_ON(point, program, raw_program, arguments, act) \
  SEC("tp_btf/" #point)                                    \
  int BPF_PROG(program, AA_LIST arguments) {               \
    return act;                                            \
  }                                                        \
  SEC("raw_tp/" #point)                                    \
  int BPF_PROG(raw_program, AA_LIST arguments) {           \
    return act;                                            \
  }

AA_ON(sched_process_fork, aa_fork, aa_fork_raw, (struct task_struct * parent, struct task_struct* child),
      on_fork(parent, child))
AA_ON(sched_process_exec, aa_exec, aa_exec_raw, (struct task_struct * task, int old_pid, struct linux_binprm* bprm),
      on_exec(task, bprm, AA_SCRATCH_EXEC))
AA_ON(sched_process_exit, aa_exit, aa_exit_raw, (struct task_struct * task), on_exit(task))

/* From 7.0 on the kernel may let others run in the middle of a program on a trace point, and refuses that program's
 * calls on this CPU meanwhile. There each has others, which find the work done, or do it. Kprobes, on functions that
 * are called right before or after, are refused only while somebody was switched away from in the middle of a system
 * call on a map. */
AA_ON(sched_process_fork, aa_fork_2nd, aa_fork_2nd_raw, (struct task_struct * parent, struct task_struct* child),
      on_fork(parent, child))
AA_ON(sched_process_exit, aa_exit_2nd, aa_exit_2nd_raw, (struct task_struct * task), on_exit(task))

SEC("kprobe/wake_up_new_task")
int BPF_KPROBE(aa_fork_3rd, struct task_struct* child) {
  return on_fork((struct task_struct*)bpf_get_current_task(), child);
}

/* Called by the loaders of programs when nothing can fail any more. */
SEC("kprobe/finalize_exec")
int BPF_KPROBE(aa_exec_2nd, struct linux_binprm* bprm) {
  return on_exec((struct task_struct*)bpf_get_current_task(), bprm, AA_SCRATCH_SECOND);
}

/* Of every process with memory, once its threads and its status are counted. */
SEC("kprobe/exit_mm_release")
int BPF_KPROBE(aa_exit_3rd, struct task_struct* task) {
  return on_exit(task);
}

AA_ON(sys_exit, aa_failed_exec, aa_failed_raw, (struct pt_regs * regs, long result), on_syscall_exit(regs, result))
AA_ON(cgroup_attach_task, aa_attach, aa_attach_raw, (struct cgroup * group, const char* path, struct task_struct* task),
      on_attach(group, task))
AA_ON(cgroup_mkdir, aa_mkdir, aa_mkdir_raw, (struct cgroup * group, const char* path), on_mkdir(group, path))
