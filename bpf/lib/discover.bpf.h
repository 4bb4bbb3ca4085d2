/* Discovery: an exec whose program is called like a listed agent, or is a listed user's, starts a target here, in the
 * kernel, so that nothing of its early life is missed. User space keeps the list of hashes and a queue of target rows
 * made ready; it confirms by the full rule, or lets go. */
#ifndef AA_DISCOVER_BPF_H
#define AA_DISCOVER_BPF_H

#include "lib/watched.bpf.h"

/* How many names are listed; 0: nothing is looked at. */
__u32 aa_discovering = 0;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, AA_DISCOVER_NAMES);
  __type(key, __u64);
  __type(value, __u32);
} aa_names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, AA_SLOTS);
  __uint(value_size, sizeof(__u32));
} aa_spares SEC(".maps");

#define AA_NAMES_GO_ON 0
#define AA_NAMES_LISTED 1
#define AA_NAMES_END 2

/* The next byte. Steps and rounds are functions that are not static: the verifier walks each once, for any arguments,
 * and the loops that call them cost it a call a turn. */
__noinline int name_step(__u32 len) {
  struct aa_scratch* s = scratch_of(AA_SCRATCH_EXEC);
  __u32 at;
  __u8 c;
  if (!s) return AA_NAMES_END;
  at = s->names.at;
  if (at >= len) return AA_NAMES_END;
  s->names.at = at + 1;
  c = s->text[at & (AA_DISCOVER_TEXT - 1)];
  if (c && c != '/') {
    s->names.hash = (s->names.hash ^ c) * AA_NAME_HASH_FACTOR;
    return AA_NAMES_GO_ON;
  }
  if (!c) {
    if (bpf_map_lookup_elem(&aa_names, &s->names.hash)) return AA_NAMES_LISTED;
    if (s->names.words <= 1) return AA_NAMES_END;
    s->names.words -= 1;
  }
  s->names.hash = AA_NAME_HASH_START;
  return AA_NAMES_GO_ON;
}

#define AA_NAMES_ROUND 32
__noinline int name_round(__u32 len) {
  for (int i = 0; i < AA_NAMES_ROUND; i++) {
    int how = name_step(len);
    if (how != AA_NAMES_GO_ON) return how;
  }
  return AA_NAMES_GO_ON;
}

/* Hashes the last component of each string in text[0 .. len); true when one of the first `words` is listed. */
__noinline int names_listed(__u32 len, __u32 words) {
  struct aa_scratch* s = scratch_of(AA_SCRATCH_EXEC);
  if (!s) return 0;
  s->names.hash = AA_NAME_HASH_START;
  s->names.at = 0;
  s->names.words = words;
  for (int i = 0; i < (int)(AA_DISCOVER_TEXT / AA_NAMES_ROUND); i++) {
    int how = name_round(len);
    if (how != AA_NAMES_GO_ON) return how == AA_NAMES_LISTED;
  }
  return 0;
}

static __always_inline int is_listed(struct task_struct* task, struct linux_binprm* bprm) {
  struct aa_scratch* s = scratch_of(AA_SCRATCH_EXEC);
  struct mm_struct* mm = BPF_CORE_READ(task, mm);
  __u64 start, len;
  __u64 user = AA_USER_KEY((__u32)bpf_get_current_uid_gid());
  long got;
  if (bpf_map_lookup_elem(&aa_names, &user)) return 1;
  if (!s) return 0;
  got = bpf_probe_read_kernel_str(s->text, AA_DISCOVER_TEXT, BPF_CORE_READ(bprm, filename));
  if (got > 0 && names_listed(got, 1)) return 1;
  start = BPF_CORE_READ(mm, arg_start);
  len = BPF_CORE_READ(mm, arg_end) - start;
  if (len >= AA_DISCOVER_TEXT) len = AA_DISCOVER_TEXT - 1;
  asm volatile("%0 &= 0x1ff" : "+r"(len)); /* for the verifier, which may have lost the bound */
  if (!len || bpf_probe_read_user(s->text, len, (void*)start)) return 0;
  return names_listed(len, 3);
}

/* The new target's entry, 0 when the program is not listed or there is no room. */
static __always_inline struct aa_watched* discover(struct task_struct* task, struct linux_binprm* bprm) {
  struct task_struct* leader = leader_of(task);
  struct task_struct* parent = leader_of(BPF_CORE_READ(leader, real_parent));
  __u32 tgid = BPF_CORE_READ(task, tgid);
  struct aa_watched entry = {};
  struct aa_target* target;
  if (tgid == aa_scan_state.self || !is_listed(task, bprm)) return 0;
  if (bpf_map_pop_elem(&aa_spares, &entry.slot)) {
    ledger_count(AA_FAMILY_EXEC, AA_CAUSE_NO_SPARE, bpf_ktime_get_boot_ns());
    return 0;
  }
  target = target_row(entry.slot);
  if (!target) return 0;
  target->active = 1;
  entry.start_ns = BPF_CORE_READ(leader, start_boottime);
  entry.parent_tgid = BPF_CORE_READ(parent, tgid);
  entry.parent_start_ns = BPF_CORE_READ(parent, start_boottime);
  entry.flags = AA_WATCHED_ROOT | AA_WATCHED_PARENT_CURRENT;
  if (watched_insert(tgid, &entry, 0)) {
    target->active = 0;
    bpf_map_push_elem(&aa_spares, &entry.slot, 0);
    ledger_count(AA_FAMILY_EXEC, AA_CAUSE_NO_SPARE, bpf_ktime_get_boot_ns());
    return 0;
  }
  return watched_entry(tgid, entry.start_ns);
}

#endif
