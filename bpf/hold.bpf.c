/* Holding: a watched process that maps a file to be executed, one that nobody has looked into, stops before it can run
 * any of it, until user space has attached to what there is (tls.hold_new_library).
 *
 * The signal is sent while the file is being mapped, and takes effect on the way back to the program: at the end of the
 * call, or before the first instruction of a program that is being started. The row comes first: whoever stands still
 * because of us is in the map, and user space lets go of all who are in it, whatever becomes of the daemon.
 */
#include "lib/syscall.bpf.h"
#include "lib/tls_caller.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* These three are made by user space, which has a guard hold them too. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} aa_hold_on SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, AA_HELD_MAX);
  __type(key, __u32);
  __type(value, struct aa_held);
} aa_held SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, AA_HOLD_RING_BYTES);
} aa_hold_ring SEC(".maps");

/* LRU: what is forgotten is looked into once more. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct aa_hold_file);
  __type(value, __u32);
} aa_hold_known SEC(".maps");

#define AA_PROT_EXEC 4
#define AA_MAP_ANONYMOUS 0x20

static __always_inline int is_on(void) {
  __u32 zero = 0;
  __u32* on = bpf_map_lookup_elem(&aa_hold_on, &zero);
  return on && *on;
}

/* Somebody else's stop would be ended with ours, and a tracer would take ours for one of its own doing. */
static __always_inline int is_others(struct task_struct* task) {
  if (BPF_CORE_READ(task, ptrace)) return 1;
  if (BPF_CORE_READ(task, signal, flags) & AA_SIGNAL_STOP_STOPPED) return 1;
  if (BPF_CORE_READ(task, signal, group_stop_count) > 0) return 1;
  return (BPF_CORE_READ(task, signal, shared_pending.signal.sig[0]) >> (AA_SIGSTOP - 1)) & 1;
}

/* Who waits for its child's stops may stop itself as well, as su does. Those that stand still already are not ours. */
static __always_inline __u32 stopped_above(struct task_struct* task) {
  __u32 stopped = 0;
  for (__u32 level = 0; level < AA_HELD_ABOVE; level++) {
    task = BPF_CORE_READ(task, real_parent);
    if (BPF_CORE_READ(task, signal, flags) & AA_SIGNAL_STOP_STOPPED) stopped |= 1u << level;
  }
  return stopped;
}

static __always_inline int hold(struct task_struct* task, struct file* file) {
  struct aa_hold_record record = {};
  struct aa_watched* entry;
  struct aa_held held = {};
  struct inode* inode;
  __u32 tgid;
  int first;
  if (!file || !is_on()) return 0;
  entry = tls_caller();
  if (!entry) return 0;
  inode = BPF_CORE_READ(file, f_inode);
  record.file.ino = BPF_CORE_READ(inode, i_ino);
  record.file.dev = BPF_CORE_READ(inode, i_sb, s_dev);
  record.file.inode_generation = generation_of(inode);
  if (bpf_map_lookup_elem(&aa_hold_known, &record.file)) return 0;
  record.tgid = tgid = bpf_get_current_pid_tgid() >> 32;
  record.since_ns = held.since_ns = bpf_ktime_get_boot_ns();
  held.start_ns = entry->start_ns;
  held.stopped_above = stopped_above(task);
  /* Another thread of it may have mapped a new file at the same moment: one stop is enough. */
  first = !is_others(task) && !bpf_map_update_elem(&aa_held, &tgid, &held, BPF_NOEXIST);
  if (bpf_ringbuf_output(&aa_hold_ring, &record, sizeof(record), 0)) { /* nobody would look into it */
    if (first) bpf_map_delete_elem(&aa_held, &tgid);
    return 0;
  }
  if (first && bpf_send_signal(AA_SIGSTOP)) bpf_map_delete_elem(&aa_held, &tgid);
  return 0;
}

/* Every mapping, the kernel's own at an exec among them. */
SEC("fentry/security_mmap_file")
int aa_hold(__u64* arguments) {
  if (!(arguments[1] & AA_PROT_EXEC)) return 0;
  return hold((struct task_struct*)bpf_get_current_task(), (struct file*)arguments[0]);
}

/* The same where the kernel takes no programs on its functions; of an exec only the program itself. */
SEC("raw_tp/sys_exit")
int aa_hold_mmap(__u64* arguments) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  struct aa_map_request request = {};
  if (!map_request_of((struct pt_regs*)arguments[0], task, &request)) return 0;
  if (!(request.protection & AA_PROT_EXEC) || request.flags & AA_MAP_ANONYMOUS) return 0;
  return hold(task, file_of(task, request.fd));
}

SEC("raw_tp/sched_process_exec")
int aa_hold_exec(void* unused) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  return hold(task, BPF_CORE_READ(task, mm, exe_file));
}
