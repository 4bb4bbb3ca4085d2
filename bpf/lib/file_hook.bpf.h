/* One source, two kinds of hook. As fentry and fexit, the end of a function is given its arguments; as kprobe and
 * kretprobe it is not, and what it needs of them is kept from the beginning.
 *
 * AA_ENTRY(program, function, arguments…) { … }            before a function runs
 * AA_RETURN(program, function, type, (arguments)) { … }    as it returns `result`; its arguments are not to be used
 * AA_END(program, function, type, (arguments))             as it returns, the operation it encloses is over
 * AA_AROUND(entry, program, function, type, (up to five arguments), (, the others), act, a, b, c)
 *                                                          as it returns, calls act(a, b, c, result)
 * AA_AROUND_OUTER(…, inner, act, a, b, c)                  the same, but not for calls that it makes to itself: those
 *                                                          of whose arguments `inner` is true
 */
#ifndef AA_FILE_HOOK_BPF_H
#define AA_FILE_HOOK_BPF_H

#include "lib/file_operation.bpf.h"

struct aa_kept {
  __u64 value[3];
  __u64 is_inside; /* of a call that it makes to itself */
};

/* Calls of watched threads that have begun. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 32768);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct aa_kept_key);
  __type(value, struct aa_kept);
} aa_file_kept SEC(".maps");

__noinline int keep(__u64 place, __u64 a, __u64 b, __u64 c) {
  struct aa_watched* entry = watched_now((struct task_struct*)bpf_get_current_task());
  struct aa_kept_key key = {bpf_get_current_pid_tgid(), place};
  struct aa_kept kept = {{a, b, c}, 0};
  if (!entry) return 0;
  if (bpf_map_update_elem(&aa_file_kept, &key, &kept, BPF_ANY)) {
    __u64 now = bpf_ktime_get_boot_ns();
    attempt(AA_FAMILY_FILE, entry->slot, now);
    lost(AA_FAMILY_FILE, AA_CAUSE_SCRATCH, entry->slot, now);
  }
  return 0;
}

static __always_inline struct aa_kept* kept_now(__u64 place) {
  struct aa_kept_key key = {bpf_get_current_pid_tgid(), place};
  return bpf_map_lookup_elem(&aa_file_kept, &key);
}

/* True with what was kept, which then is no more. */
static __always_inline int kept(__u64 place, struct aa_kept* out) {
  struct aa_kept_key key = {bpf_get_current_pid_tgid(), place};
  struct aa_kept* found = kept_now(place);
  if (!found) return 0;
  *out = *found;
  bpf_map_delete_elem(&aa_file_kept, &key);
  return 1;
}

#if AA_FILE_HOOK == AA_HOOK_KPROBE

static __always_inline int begin_inner(__u64 place) {
  struct aa_kept* outer = kept_now(place);
  if (outer) outer->is_inside = 1;
  return 0;
}

/* True when it was an inner call that ends. */
static __always_inline int end_inner(__u64 place) {
  struct aa_kept* outer = kept_now(place);
  if (!outer || !outer->is_inside) return 0;
  outer->is_inside = 0;
  return 1;
}

#define AA_ENTRY(program, function, ...) \
  SEC("kprobe/" #function)               \
  int BPF_KPROBE(program, ##__VA_ARGS__)

#define AA_RETURN(program, function, type, arguments) \
  SEC("kretprobe/" #function)                         \
  int BPF_KRETPROBE(program, type result)

#define AA_AROUND(entry, program, function, type, arguments, others, act, a, b, c) \
  enum { program##_place = __COUNTER__ };                                          \
  AA_ENTRY(entry, function, AA_LIST arguments) {                                   \
    return keep(program##_place, a, b, c);                                         \
  }                                                                                \
  AA_RETURN(program, function, type, arguments) {                                  \
    struct aa_kept call;                                                           \
    if (!kept(program##_place, &call)) return 0;                                   \
    return act(call.value[0], call.value[1], call.value[2], result);               \
  }

#define AA_AROUND_OUTER(entry, program, function, type, arguments, others, inner, act, a, b, c) \
  enum { program##_place = __COUNTER__ };                                                       \
  AA_ENTRY(entry, function, AA_LIST arguments) {                                                \
    return (inner) ? begin_inner(program##_place) : keep(program##_place, a, b, c);             \
  }                                                                                             \
  AA_RETURN(program, function, type, arguments) {                                               \
    struct aa_kept call;                                                                        \
    if (end_inner(program##_place) || !kept(program##_place, &call)) return 0;                  \
    return act(call.value[0], call.value[1], call.value[2], result);                            \
  }

#else

#define AA_ENTRY(program, function, ...) \
  SEC("fentry/" #function)               \
  int BPF_PROG(program, ##__VA_ARGS__)

#define AA_RETURN(program, function, type, arguments) \
  SEC("fexit/" #function)                             \
  int BPF_PROG(program, AA_LIST arguments, type result)

#define AA_AROUND(entry, program, function, type, arguments, others, act, a, b, c) \
  AA_RETURN(program, function, type, (AA_LIST arguments AA_LIST others)) {         \
    return act(a, b, c, result);                                                   \
  }

#define AA_AROUND_OUTER(entry, program, function, type, arguments, others, inner, act, a, b, c) \
  AA_RETURN(program, function, type, (AA_LIST arguments AA_LIST others)) {                      \
    return (inner) ? 0 : act(a, b, c, result);                                                  \
  }

#endif

#define AA_END(program, function, type, arguments) \
  AA_RETURN(program, function, type, arguments) {  \
    return operation_end(result);                  \
  }

#endif
