/* One pass over every process of the machine, run when user space reads the iterator: lists them all, and on the way
 * takes in, moves or lets go those that aa_scan_state names. Ids come from here, never from /proc. */
#ifndef AA_SCAN_BPF_H
#define AA_SCAN_BPF_H

#include "lib/units.bpf.h"

static __always_inline void move_to(struct aa_watched* entry, __u32 slot) {
  change_slot(entry, slot);
  aa_scan_state.changed++;
}

static __always_inline void scan_insert_root(struct task_struct* leader, __u32 tgid, struct aa_task_row* row) {
  struct aa_watched* entry = watched_entry(tgid, row->start_ns);
  if (entry && slot_active(entry->slot)) {
    if (entry->flags & AA_WATCHED_ROOT) {
      aa_scan_state.root_of = entry->slot;
      return;
    }
    aa_scan_state.outer = entry->slot;
    move_to(entry, aa_scan_state.slot);
    entry->flags |= AA_WATCHED_ROOT;
    return;
  }
  if (!adopt(number_of(leader), (__u64)leader_of(BPF_CORE_READ(leader, real_parent)), aa_scan_state.slot, 0)) {
    row->flags |= AA_TASK_REFUSED;
    return;
  }
  entry = watched_entry(tgid, row->start_ns);
  if (entry) entry->flags |= AA_WATCHED_ROOT;
  aa_scan_state.changed++;
}

static __always_inline void scan_adopt(struct task_struct* leader, __u32 tgid, struct aa_task_row* row) {
  struct task_struct* parent = leader_of(BPF_CORE_READ(leader, real_parent));
  struct aa_watched* parent_entry;
  if (watched_entry(tgid, row->start_ns)) return;
  parent_entry = watched_entry(BPF_CORE_READ(parent, tgid), BPF_CORE_READ(parent, start_boottime));
  /* One target at a time: who is taken in is told with that one's plan. */
  if (!parent_entry || parent_entry->slot != aa_scan_state.slot || !slot_active(parent_entry->slot)) return;
  if (!adopt(number_of(leader), (__u64)parent, parent_entry->slot, 0)) {
    if (!group_dead(leader)) row->flags |= AA_TASK_REFUSED;
    return;
  }
  aa_scan_state.changed++;
}

static __always_inline void scan_unit(struct task_struct* leader, struct aa_task_row* row) {
  int entered = enter_own_unit(leader, 0);
  if (entered == AA_ENTERED) aa_scan_state.changed++;
  if (entered == AA_ENTER_REFUSED && !group_dead(leader)) row->flags |= AA_TASK_REFUSED;
}

static __always_inline void scan_move(struct aa_watched* entry, __u32 tgid) {
  struct aa_move* move;
  struct aa_watched* parent;
  if (entry->slot != aa_scan_state.from || entry->flags & AA_WATCHED_ROOT) return;
  move = bpf_map_lookup_elem(&aa_moves, &tgid);
  parent = watched_entry(entry->parent_tgid, entry->parent_start_ns);
  if ((move && move->start_ns == entry->start_ns) || (parent && parent->slot == aa_scan_state.slot))
    move_to(entry, aa_scan_state.slot);
}

static __always_inline void scan_entry(struct task_struct* leader, __u32 tgid, struct aa_task_row* row) {
  __u32 mode = aa_scan_state.mode;
  struct aa_watched* entry;
  if (mode & AA_SCAN_INSERT && tgid == aa_scan_state.tgid) scan_insert_root(leader, tgid, row);
  if (mode & AA_SCAN_ADOPT) scan_adopt(leader, tgid, row);
  if (mode & AA_SCAN_ADOPT && aa_units_watched) scan_unit(leader, row);
  entry = watched_entry(tgid, row->start_ns);
  if (!entry) return;
  if (mode & AA_SCAN_MOVE) scan_move(entry, tgid);
  if (entry->slot != aa_scan_state.from) return;
  if (mode & AA_SCAN_RETURN) {
    move_to(entry, aa_scan_state.slot);
    entry->flags &= ~AA_WATCHED_ROOT;
  }
  if (mode & AA_SCAN_SWEEP && watched_delete(tgid, entry->slot)) aa_scan_state.changed++;
}

static __always_inline void row_from_task(struct aa_task_row* row, struct task_struct* leader) {
  struct task_struct* parent = leader_of(BPF_CORE_READ(leader, real_parent));
  row->start_ns = BPF_CORE_READ(leader, start_boottime);
  row->parent_start_ns = BPF_CORE_READ(parent, start_boottime);
  row->cgroup_id = cgroup_of(leader);
  row->tgid = BPF_CORE_READ(leader, tgid);
  row->ns_tgid = ns_tgid_of(leader);
  row->parent_tgid = BPF_CORE_READ(parent, tgid);
  row->uid = BPF_CORE_READ(leader, cred, euid.val);
  row->gid = BPF_CORE_READ(leader, cred, egid.val);
  BPF_CORE_READ_INTO(&row->comm, leader, comm);
  if (BPF_CORE_READ(leader, flags) & AA_PF_KTHREAD) row->flags |= AA_TASK_KERNEL;
  if (row->tgid == aa_scan_state.self) row->flags |= AA_TASK_SELF;
}

static __always_inline void row_from_entry(struct aa_task_row* row, struct aa_watched* entry) {
  row->flags |= AA_TASK_WATCHED;
  if (!(entry->flags & AA_WATCHED_PARENT_CURRENT))
    row->flags |= AA_TASK_BIRTH;
  else if (aa_scan_state.serial && entry->flags >> 16 == aa_scan_state.serial)
    row->flags |= AA_TASK_ADOPTED;
  row->parent_start_ns = entry->parent_start_ns;
  row->parent_tgid = entry->parent_tgid;
  row->image = entry->image;
  row->slot = entry->slot;
}

SEC("iter/task")
int aa_scan(struct bpf_iter__task* context) {
  struct seq_file* seq = context->meta->seq;
  struct task_struct* task = context->task;
  struct aa_task_row row = {};
  struct aa_watched* entry;
  __u32 tgid;
  if (!task) return 0;
  if (!aa_scan_state.self) aa_scan_state.self = bpf_get_current_pid_tgid() >> 32; /* the reader is the daemon */
  tgid = BPF_CORE_READ(task, tgid);
  if ((__u32)BPF_CORE_READ(task, pid) != tgid) { /* a thread: listed only when it was asked for by mistake */
    if ((__u32)BPF_CORE_READ(task, pid) != aa_scan_state.tgid) return 0;
    row_from_task(&row, leader_of(task));
    row.flags |= AA_TASK_THREAD;
    bpf_seq_write(seq, &row, sizeof(row));
    return 0;
  }
  row_from_task(&row, task);
  if (group_dead(task))
    row.flags |= AA_TASK_DEAD;
  else if (!(row.flags & (AA_TASK_KERNEL | AA_TASK_SELF)))
    scan_entry(task, tgid, &row);
  entry = watched_entry(tgid, row.start_ns);
  if (entry && slot_active(entry->slot)) row_from_entry(&row, entry);
  bpf_seq_write(seq, &row, sizeof(row));
  return 0;
}

#endif
