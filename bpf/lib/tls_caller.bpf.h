/* Whose TLS is listened to: watched processes of targets whose level is not `off`. */
#ifndef AA_TLS_CALLER_BPF_H
#define AA_TLS_CALLER_BPF_H

#include "lib/watched.bpf.h"

/* The caller's entry, when its bytes are to be told at all. A process that is just being taken in does not take itself
 * in here: its target is not watched yet as far as anybody was told. */
static __always_inline struct aa_watched* tls_caller(void) {
  struct task_struct* leader = leader_of((struct task_struct*)bpf_get_current_task());
  __u32 tgid = bpf_get_current_pid_tgid() >> 32;
  struct aa_watched* entry = watched_entry(tgid, BPF_CORE_READ(leader, start_boottime));
  if (!entry || !slot_active(entry->slot)) return 0;
  return tls_level(entry->slot) != AA_TLS_LEVEL_OFF ? entry : 0;
}

#endif
