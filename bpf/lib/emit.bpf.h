/* The one way a record leaves the kernel. Every attempt is counted; one that finds no room is counted with its cause.
 */
#ifndef AA_EMIT_BPF_H
#define AA_EMIT_BPF_H

#include "lib/maps.bpf.h"

static __always_inline void ledger_add(__u32 family, __u32 cause, __u64 count, __u64 now) {
  __u32 key = family * AA_CAUSES + cause;
  struct aa_ledger_row* row = bpf_map_lookup_elem(&aa_ledger, &key);
  if (!row) return;
  __sync_fetch_and_add(&row->count, count);
  if (!row->first_ns) row->first_ns = now;
  row->last_ns = now;
}

static __always_inline void ledger_count(__u32 family, __u32 cause, __u64 now) {
  ledger_add(family, cause, 1, now);
}

static __always_inline struct aa_target* target_row(__u32 slot) {
  __u32 row = AA_SLOT_ROW(slot);
  return bpf_map_lookup_elem(&aa_targets, &row);
}

static __always_inline void attempt(__u32 family, __u32 slot, __u64 now) {
  struct aa_target* target = target_row(slot);
  ledger_count(family, AA_CAUSE_ATTEMPT, now);
  if (target) __sync_fetch_and_add(&target->attempts, 1);
}

static __always_inline void lost(__u32 family, __u32 cause, __u32 slot, __u64 now) {
  struct aa_target* target = target_row(slot);
  ledger_count(family, cause, now);
  if (target) __sync_fetch_and_add(&target->lost, 1);
}

/* Sends a lifecycle record. The ring wakes its reader only when it had caught up, so a flood costs few wake-ups. */
static __always_inline void emit_lifecycle(void* record, __u64 size, __u32 slot, __u64 now) {
  attempt(AA_FAMILY_EXEC, slot, now);
  if (bpf_ringbuf_output(&aa_lifecycle, record, size, 0)) lost(AA_FAMILY_EXEC, AA_CAUSE_RING_FULL, slot, now);
}

#endif
