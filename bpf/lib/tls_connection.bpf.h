/* Connections: one TLS object of a process, from its making to its end; a fork's copy is one of its own. */
#ifndef AA_TLS_CONNECTION_BPF_H
#define AA_TLS_CONNECTION_BPF_H

#include "lib/tls_caller.bpf.h"
#include "lib/tls_maps.bpf.h"

#if AA_SINCE_5_17
__u32 aa_tls_last_id = 0;

static __always_inline __u32 next_connection(void) {
  return __sync_fetch_and_add(&aa_tls_last_id, 1) + 1;
}
#else
/* No atomics that answer before 5.12, but nothing interrupts a program on its CPU. */
#define AA_TLS_CPUS 1024
__u32 aa_tls_last_ids[AA_TLS_CPUS] = {};

static __always_inline __u32 next_connection(void) {
  __u32 cpu = bpf_get_smp_processor_id() & (AA_TLS_CPUS - 1);
  aa_tls_last_ids[cpu] += 1;
  return aa_tls_last_ids[cpu] * AA_TLS_CPUS + cpu;
}
#endif

/* Another number when nobody listened to the process in between, or to the library. */
static __always_inline __u32 heard_since(struct aa_watched* entry, __u32 listening) {
  return entry->since + listening;
}

static __always_inline void begin_connection(struct aa_tls_state* state, struct aa_watched* entry, __u32 listening,
                                             __u64 now) {
  __builtin_memset(state, 0, sizeof(*state));
  state->start_ns = entry->start_ns;
  state->image = entry->image;
  state->since = heard_since(entry, listening);
  state->listening = listening;
  state->born_ns = now;
  state->id = next_connection();
}

/* The object lives, in the program that the process runs now. */
static __always_inline int is_living(struct aa_tls_state* state, struct aa_watched* entry) {
  return state->start_ns == entry->start_ns && state->image == entry->image && !state->freed_ns;
}

/* And all that it moved was heard. */
static __always_inline int is_current(struct aa_tls_state* state, struct aa_watched* entry, __u32 listening) {
  return is_living(state, entry) && state->since == heard_since(entry, listening);
}

/* A child goes on where its parent was when it forked. When the parent has moved bytes since, nobody knows where; nor
 * when its library was rewritten in between. */
static __always_inline int inherit_from(struct aa_tls_state* state, __u64 object, __u32 tgid, __u64 start_ns,
                                        __u64 forked_ns) {
  struct aa_tls_object key = {.object = object, .tgid = tgid};
  struct aa_tls_state* from = bpf_map_lookup_elem(&aa_tls_connections, &key);
  if (!from || from->start_ns != start_ns || from->image != state->image) return 0;
  if (from->born_ns > forked_ns || (from->freed_ns && from->freed_ns < forked_ns)) return 0;
  state->inherited_from = from->id;
  state->references = from->references;
  __builtin_memcpy(&state->peer, &from->peer, sizeof(state->peer));
  state->offset[AA_TLS_RECV] = from->offset[AA_TLS_RECV];
  state->offset[AA_TLS_SEND] = from->offset[AA_TLS_SEND];
  if (from->used_ns < forked_ns && from->listening == state->listening) state->flags = from->flags;
  return 1;
}

/* Of a double fork the one in between may never have used it. */
static __always_inline void inherit(struct aa_tls_state* state, struct aa_watched* entry, __u64 object) {
  if (!inherit_from(state, object, entry->parent_tgid, entry->parent_start_ns, entry->start_ns) && entry->older_tgid)
    inherit_from(state, object, entry->older_tgid, entry->older_start_ns, entry->parent_start_ns);
}

/* True when the caller's object has a connection now. A function of its own: a whole state lies on its stack, and the
 * stacks of all callers count together (512 bytes, each rounded up). */
__noinline int make_connection(__u64 object, __u32 listening, __u64 now) {
  struct aa_tls_object key = {.object = object, .tgid = bpf_get_current_pid_tgid() >> 32};
  struct aa_watched* entry = tls_caller();
  struct aa_tls_state fresh;
  if (!entry) return 0;
  begin_connection(&fresh, entry, listening, now);
  if (!entry->since) inherit(&fresh, entry, object);
  return !bpf_map_update_elem(&aa_tls_connections, &key, &fresh, BPF_ANY);
}

/* Nobody will know how much a call moves: what follows is another connection, not seen from its start. Calls of other
 * threads go on, therefore `told` does. */
__noinline int begin_anew(__u64 object, __u64 now) {
  struct aa_tls_object key = {.object = object, .tgid = bpf_get_current_pid_tgid() >> 32};
  struct aa_tls_state* state = bpf_map_lookup_elem(&aa_tls_connections, &key);
  if (!state) return 0;
  state->id = next_connection();
  state->born_ns = now;
  state->inherited_from = 0;
  state->flags = 0;
  state->announced = 0;
  state->offset[AA_TLS_RECV] = 0;
  state->offset[AA_TLS_SEND] = 0;
  return 0;
}

static __always_inline struct aa_tls_state* connection_of(struct aa_watched* entry, __u32 tgid, __u64 object,
                                                          __u32 listening, __u64 now) {
  struct aa_tls_object key = {.object = object, .tgid = tgid};
  struct aa_tls_state* state = bpf_map_lookup_elem(&aa_tls_connections, &key);
  if (state && is_current(state, entry, listening)) return state;
  if (!make_connection(object, listening, now)) return 0;
  state = bpf_map_lookup_elem(&aa_tls_connections, &key);
  return state && is_current(state, entry, listening) ? state : 0;
}

#endif
