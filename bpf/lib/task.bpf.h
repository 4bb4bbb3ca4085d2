/* Who a task is: read from kernel objects only. */
#ifndef AA_TASK_BPF_H
#define AA_TASK_BPF_H

#include "lib/maps.bpf.h"

static __always_inline struct task_struct* leader_of(struct task_struct* task) {
  return BPF_CORE_READ(task, group_leader);
}

/* Thread group id in the group's own pid namespace. */
static __always_inline __u32 ns_tgid_of(struct task_struct* leader) {
  struct pid* pid = BPF_CORE_READ(leader, thread_pid);
  __u32 level = BPF_CORE_READ(pid, level);
  __u64 at = bpf_core_field_offset(struct pid, numbers) + (__u64)level * bpf_core_type_size(struct upid) +
             bpf_core_field_offset(struct upid, nr);
  __u32 nr = 0;
  if (!pid || bpf_probe_read_kernel(&nr, sizeof(nr), (char*)pid + at)) return 0;
  return nr;
}

/* Every thread has left, or the last one is on its way out. */
static __always_inline int group_dead(struct task_struct* task) {
  return BPF_CORE_READ(task, signal, live.counter) <= 0;
}

/* What a descriptor of the task is open at, 0 when it is not. */
static __always_inline struct file* file_of(struct task_struct* task, __u64 fd) {
  struct fdtable* table = BPF_CORE_READ(task, files, fdt);
  struct file* file = 0;
  __u32 number = fd;
  if (!table || number >= BPF_CORE_READ(table, max_fds)) return 0;
  bpf_probe_read_kernel(&file, sizeof(file), &BPF_CORE_READ(table, fd)[number]);
  return file;
}

static __always_inline __u64 cgroup_of(struct task_struct* task) {
  return BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
}

/* Fills everything but what the watched entry knows (parent, image, slot). `task` is the thread, its leader names it.
 */
static __always_inline void header_from_task(struct aa_header* header, struct task_struct* task, __u16 kind, __u32 size,
                                             __u64 now) {
  struct task_struct* leader = leader_of(task);
  __builtin_memset(header, 0, sizeof(*header));
  header->version = AA_RECORD_VERSION;
  header->kind = kind;
  header->size = size;
  header->boot_ns = now;
  header->start_ns = BPF_CORE_READ(leader, start_boottime);
  header->cgroup_id = cgroup_of(task);
  header->tgid = BPF_CORE_READ(task, tgid);
  header->tid = BPF_CORE_READ(task, pid);
  header->ns_tgid = ns_tgid_of(leader);
  header->uid = BPF_CORE_READ(task, cred, euid.val);
  header->gid = BPF_CORE_READ(task, cred, egid.val);
  BPF_CORE_READ_INTO(&header->comm, leader, comm);
}

#endif
