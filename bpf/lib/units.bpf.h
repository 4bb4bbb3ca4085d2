/* Units: processes that are taken in for the control group they are in, at fork, at exec and when they are put there.
 *
 * User space says which control groups are units, by path and by the id they have now. A unit that is started again has
 * a new group, which is known by its path as it is made, before anybody can be in it. Once taken in, a process stays,
 * wherever it goes. While no unit is watched this costs the read of one number.
 */
#ifndef AA_UNITS_BPF_H
#define AA_UNITS_BPF_H

#include "lib/watched.bpf.h"

/* How many units are watched; 0: nothing is looked at. */
__u32 aa_units_watched = 0;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2 * AA_SLOTS); /* a unit's present group, and for a moment the one before */
  __type(key, __u64);
  __type(value, __u32);
} aa_units SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, AA_SLOTS);
  __type(key, __u64);
  __type(value, struct aa_unit);
} aa_unit_paths SEC(".maps");

/* Not the scratch of an exec, which a preempted program may be using on this CPU; here the kernel holds a spinlock. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct aa_unit_path);
} aa_unit_path SEC(".maps");

/* ---- which unit a control group belongs to
 * ----------------------------------------------------------------------------
 */

/* A control group's own unit's slot, 0 none; and the group above it. Global, as what a loop calls should be. */
__noinline __u32 unit_at(__u64 group) {
  __u64 id = BPF_CORE_READ((struct cgroup*)group, kn, id);
  __u32* slot = bpf_map_lookup_elem(&aa_units, &id);
  return slot && slot_active(*slot) ? *slot : 0;
}

__noinline __u64 group_above(__u64 group) {
  char* above = (char*)BPF_CORE_READ((struct cgroup*)group, self.parent);
  return above ? (__u64)(above - bpf_core_field_offset(struct cgroup, self)) : 0;
}

/* The slot of the nearest unit above, itself included; 0 none. When `held` is a slot: of the nearest one, only if that
 * is nested in the unit of slot `held`. */
__noinline __u32 unit_slot(__u64 group, __u32 held) {
  __u32 found = 0;
  int i;
  for (i = 0; i < AA_CGROUP_DEPTH; i++) {
    __u32 slot;
    if (!group) return 0;
    slot = unit_at(group);
    if (slot) {
      if (!held) return slot;
      if (slot == held) return found;
      if (!found) found = slot;
    }
    group = group_above(group);
  }
  return 0;
}

/* Takes the task's process in when `group` is in a unit, or gives it from an outer unit's target to an inner one's. */
#define AA_ENTER_NOTHING 0
#define AA_ENTERED 1
#define AA_ENTER_REFUSED 2
/* Told in a record; and the second time without counting the want of room, which was counted at the first. */
#define AA_ANNOUNCE 1
#define AA_ANNOUNCE_AGAIN 2
__noinline int enter_unit(__u64 address, __u64 group, __u32 announce) {
  struct task_struct* leader = leader_of((struct task_struct*)address);
  __u32 tgid = BPF_CORE_READ(leader, tgid);
  struct aa_watched* entry = watched_entry(tgid, BPF_CORE_READ(leader, start_boottime));
  __u32 held = entry ? entry->slot : 0;
  __u32 slot;
  if (entry && (entry->flags & AA_WATCHED_ROOT || !slot_active(held))) return AA_ENTER_NOTHING;
  slot = unit_slot(group, held);
  if (!slot || (!announce && slot != aa_scan_state.slot)) return AA_ENTER_NOTHING; /* a scan is for one target */
  if (!entry) {
    struct task_struct* parent = leader_of(BPF_CORE_READ(leader, real_parent));
    if (!adopt((__u64)leader, (__u64)parent, slot, announce == AA_ANNOUNCE)) return AA_ENTER_REFUSED;
    if (announce) tell_adopted((__u64)leader);
    return AA_ENTERED;
  }
  change_slot(entry, slot);
  if (announce) tell_adopted((__u64)leader);
  return AA_ENTERED;
}

static __always_inline int enter_own_unit(struct task_struct* task, __u32 announce) {
  return enter_unit(number_of(task), (__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp), announce);
}

/* As watched_now(); a process inside a unit that is not in the watched set takes itself in first. First, so that to the
 * verifier there is one entry, wherever it came from: it would walk what follows once for each. */
static __always_inline struct aa_watched* member_now(struct task_struct* task) {
  if (aa_units_watched) enter_own_unit(task, AA_ANNOUNCE_AGAIN);
  return watched_now(task);
}

static __always_inline int on_attach(struct cgroup* group, struct task_struct* task) {
  if (BPF_CORE_READ(group, root, hierarchy_id) == 0) enter_unit(number_of(task), number_of(group), AA_ANNOUNCE);
  return 0;
}

/* ---- a unit's new control group
 * ---------------------------------------------------------------------------------------
 */

/* Of the path in this CPU's buffer. */
__noinline __u64 unit_path_hash(void) {
  __u32 zero = 0;
  struct aa_unit_path* path = bpf_map_lookup_elem(&aa_unit_path, &zero);
  __u64 hash = AA_NAME_HASH_START;
  int i;
  if (!path) return 0;
  for (i = 0; i < AA_CGROUP_PATH; i++) {
    __u8 c = path->text[i];
    if (!c) break;
    hash = (hash ^ c) * AA_NAME_HASH_FACTOR;
  }
  return hash;
}

static __always_inline int on_mkdir(struct cgroup* group, const char* path) {
  __u32 zero = 0;
  struct aa_unit_path* buffer = bpf_map_lookup_elem(&aa_unit_path, &zero);
  struct aa_unit* unit;
  __u64 hash, id, before;
  if (!buffer || BPF_CORE_READ(group, root, hierarchy_id)) return 0;
  if (bpf_probe_read_kernel_str(buffer->text, sizeof(buffer->text), path) <= 0) return 0;
  hash = unit_path_hash();
  unit = bpf_map_lookup_elem(&aa_unit_paths, &hash);
  if (!unit) return 0;
  id = BPF_CORE_READ(group, kn, id);
  before = unit->cgroup_id;
  unit->cgroup_id = id;
  bpf_map_update_elem(&aa_units, &id, &unit->slot, BPF_ANY);
  if (before && before != id) bpf_map_delete_elem(&aa_units, &before); /* the one of that path is gone */
  return 0;
}

#endif
