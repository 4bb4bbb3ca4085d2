/* The watched set: one entry a living watched process. Entered at fork here, or by a scan; left at exit or by a sweep.
 *
 * Whoever deletes an entry owns its end: the exit record is sent by the one whose delete succeeded, so it is sent once.
 */
#ifndef AA_WATCHED_BPF_H
#define AA_WATCHED_BPF_H

#include "lib/emit.bpf.h"
#include "lib/task.bpf.h"

/* In a section of their own, so that every family's object can share the one map behind it.
 * Set while a tree is being enrolled: a process that forks, execs or exits before the scan reached it adopts itself. */
__u32 aa_enrolling SEC(".data.watch") = 0;
struct aa_scan aa_scan_state SEC(".data.watch") = {};

static __always_inline int slot_active(__u32 slot) {
  struct aa_target* target = target_row(slot);
  return target && target->active && target->slot == slot;
}

/* The entry of a process, nullptr when it is not watched now. An entry with another start is a dead process's. */
static __always_inline struct aa_watched* watched_entry(__u32 tgid, __u64 start_ns) {
  struct aa_watched* entry = bpf_map_lookup_elem(&aa_watched, &tgid);
  if (!entry || entry->start_ns != start_ns) return 0;
  return entry;
}

static __always_inline void count_live(__u32 slot, long delta) {
  struct aa_target* target = target_row(slot);
  if (target) __sync_fetch_and_add(&target->live, delta);
}

static __always_inline void refuse(__u32 slot, __u32 cause) {
  struct aa_target* target = target_row(slot);
  if (target) __sync_fetch_and_add(&target->refused, 1);
  ledger_count(AA_FAMILY_EXEC, cause, bpf_ktime_get_boot_ns());
}

/* Takes a process in, within its target's share. 0, or the cause it was refused for (counted here when `count`). */
static __always_inline __u32 watched_insert(__u32 tgid, struct aa_watched* entry, int count) {
  struct aa_target* target = target_row(entry->slot);
  struct aa_watched* stale = bpf_map_lookup_elem(&aa_watched, &tgid);
  if (!target) return AA_CAUSE_WATCHED_FULL;
  if (stale) { /* never seen to happen: an exit that deleted nothing. The pid is the newcomer's now. */
    __u32 slot = stale->slot;
    if (!bpf_map_delete_elem(&aa_watched, &tgid)) count_live(slot, -1);
  }
  __sync_fetch_and_add(&target->live, 1);
  if (target->live > target->limit) {
    __sync_fetch_and_add(&target->live, -1);
    if (count) refuse(entry->slot, AA_CAUSE_SHARE_FULL);
    return AA_CAUSE_SHARE_FULL;
  }
  if (bpf_map_update_elem(&aa_watched, &tgid, entry, BPF_NOEXIST)) {
    __sync_fetch_and_add(&target->live, -1);
    if (count) refuse(entry->slot, AA_CAUSE_WATCHED_FULL);
    return AA_CAUSE_WATCHED_FULL;
  }
  return 0;
}

/* Microseconds; never 0. */
static __always_inline __u32 now_as_since(void) {
  return (__u32)(bpf_ktime_get_boot_ns() >> 10) | 1;
}

static __always_inline __u32 tls_level(__u32 slot) {
  struct aa_target* target = target_row(slot);
  return target ? target->tls_level : AA_TLS_LEVEL_OFF;
}

/* What it said over TLS in a target that does not listen was not heard. */
static __always_inline void change_slot(struct aa_watched* entry, __u32 slot) {
  if (tls_level(entry->slot) == AA_TLS_LEVEL_OFF) entry->since = now_as_since();
  count_live(entry->slot, -1);
  count_live(slot, 1);
  entry->slot = slot;
}

/* Lets a process go; true for the one caller whose delete it was. */
static __always_inline int watched_delete(__u32 tgid, __u32 slot) {
  if (bpf_map_delete_elem(&aa_watched, &tgid)) return 0;
  count_live(slot, -1);
  return 1;
}

static __always_inline void header_from_entry(struct aa_header* header, struct aa_watched* entry) {
  header->parent_start_ns = entry->parent_start_ns;
  header->parent_tgid = entry->parent_tgid;
  header->image = entry->image;
  header->slot = entry->slot;
  if (entry->flags & AA_WATCHED_PARENT_CURRENT) header->flags |= AA_HEADER_PARENT_CURRENT;
}

/* Says of a leader's process that it is in the watched set now, though nobody saw it being born there.
 *
 * Not static, as all that is called from many places: the verifier then walks it once, and not at every call. Such a
 * function takes plain numbers: 5.10 knows no pointers there. And apart from adopt(), so that the two records never lie
 * on one stack: 5.10 counts those of all callers together. */
__noinline int tell_adopted(__u64 leader_at) {
  struct task_struct* leader = (struct task_struct*)leader_at;
  struct aa_watched* entry = watched_entry(BPF_CORE_READ(leader, tgid), BPF_CORE_READ(leader, start_boottime));
  struct aa_fork record = {};
  __u64 now = bpf_ktime_get_boot_ns();
  if (!entry) return 0;
  header_from_task(&record.header, leader, AA_KIND_ADOPTED, sizeof(record), now);
  header_from_entry(&record.header, entry);
  emit_lifecycle(&record, sizeof(record), entry->slot, now);
  return 0;
}

/* Takes a living process in whose present parent is `parent` (both leaders). The parent is the current one: who forked
 * it happened before we looked. `count`: want of room counts; a later attempt meets the same again. */
__noinline int adopt(__u64 leader_at, __u64 parent_at, __u32 slot, __u32 count) {
  struct task_struct* leader = (struct task_struct*)leader_at;
  struct task_struct* parent = (struct task_struct*)parent_at;
  __u32 tgid = BPF_CORE_READ(leader, tgid);
  struct aa_watched entry = {};
  if (BPF_CORE_READ(leader, flags) & AA_PF_KTHREAD || tgid == aa_scan_state.self) return 0;
  entry.start_ns = BPF_CORE_READ(leader, start_boottime);
  entry.parent_tgid = BPF_CORE_READ(parent, tgid);
  entry.parent_start_ns = BPF_CORE_READ(parent, start_boottime);
  entry.slot = slot;
  entry.since = now_as_since();
  entry.flags = AA_WATCHED_PARENT_CURRENT | AA_WATCHED_SERIAL(aa_scan_state.serial);
  if (watched_entry(tgid, entry.start_ns)) return 0;
  if (watched_insert(tgid, &entry, count || aa_scan_state.mode & AA_SCAN_COUNT)) return 0;
  if (group_dead(leader) && watched_delete(tgid, slot)) return 0; /* its exit came before it was in */
  return 1;
}

/* The slot of a leader's parent when it is watched, 0 when its target rests or there is none; else the parent's leader:
 * no slot is as large as a pointer. Global, as what a loop calls should be: every program has this loop, and walked in
 * place its steps were three quarters of all that the verifier had to do. */
#define AA_LARGEST_SLOT 0xffffffffu
__noinline __u64 ancestor_step(__u64 leader) {
  struct task_struct* up = leader_of(BPF_CORE_READ((struct task_struct*)leader, real_parent));
  struct aa_watched* entry;
  if (!up || (__u64)up == leader) return 0;
  entry = watched_entry(BPF_CORE_READ(up, tgid), BPF_CORE_READ(up, start_boottime));
  if (entry) return slot_active(entry->slot) ? entry->slot : 0;
  return (__u64)up;
}

/* The slot of the nearest watched ancestor, 0 when there is none within reach. */
#define AA_ANCESTOR_REACH 64
static __noinline __u32 slot_of_ancestor(struct task_struct* task) {
  __u64 at = (__u64)leader_of(task);
  for (int i = 0; i < AA_ANCESTOR_REACH; i++) {
    at = ancestor_step(at);
    if (at <= AA_LARGEST_SLOT) return at;
  }
  return 0;
}

/* A pointer as the plain number that a function of its own takes. */
static __always_inline __u64 number_of(void* pointer) {
  __u64 number = 0;
  bpf_probe_read_kernel(&number, sizeof(number), &pointer);
  return number;
}

__noinline int enter_late(__u64 address) {
  struct task_struct* task = (struct task_struct*)address;
  struct task_struct* leader = leader_of(task);
  __u32 slot = slot_of_ancestor(task);
  if (!slot) return 0;
  if (adopt((__u64)leader, (__u64)leader_of(BPF_CORE_READ(leader, real_parent)), slot, 1)) tell_adopted((__u64)leader);
  return 1;
}

/* The entry of the task's process when its target is active. While a tree is being enrolled, a process that belongs to
 * it but was not reached yet takes itself in: what it does next happens inside. */
static __always_inline struct aa_watched* watched_now(struct task_struct* task) {
  struct task_struct* leader = leader_of(task);
  __u32 tgid = BPF_CORE_READ(task, tgid);
  __u64 start_ns = BPF_CORE_READ(leader, start_boottime);
  struct aa_watched* entry = watched_entry(tgid, start_ns);
  if (!entry && aa_enrolling && enter_late(number_of(task))) entry = watched_entry(tgid, start_ns);
  if (!entry || !slot_active(entry->slot)) return 0;
  return entry;
}

#endif
