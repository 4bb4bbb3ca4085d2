/* The TLS family: what a watched tree said and heard, before it is encrypted and after it is decrypted.
 *
 * Comes in: the beginning and the end of the functions of abi/tls.h, at places where arguments and result are in
 * place, and an object's life, in every process that has the library mapped. Goes out: what successful calls of watched
 * ones moved. Sends and receives are read at the end: then the memory is there, and the library has said how much it
 * took. Which function it is comes as the attachment's cookie, or, where the kernel has none (before 5.15), from a
 * program of its own.
 */
#include "lib/own_stack.bpf.h"
#include "lib/tls_peer.bpf.h"
#include "lib/tls_send.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct aa_tls_row {
  __u8 direction;
  __u8 result;
};

#define AA_TLS_ROWS 32 /* a power of two: a mask proves the bound */
_Static_assert(AA_TLS_FUNCTION_COUNT <= AA_TLS_ROWS, "every function has a row");
static const volatile struct aa_tls_row aa_tls_rows[AA_TLS_ROWS] = {
#define AA_TLS_ROW(id, short, name, direction, result) {AA_TLS_##direction, AA_TLS_RESULT_##result},
    AA_TLS_FUNCTIONS(AA_TLS_ROW)
#undef AA_TLS_ROW
};

/* ---- registers ---- */

#if defined(__TARGET_ARCH_x86)
#define AA_ARG1(regs) ((regs)->di)
#define AA_ARG2(regs) ((regs)->si)
#define AA_ARG4(regs) ((regs)->cx)
#define AA_ARG5(regs) ((regs)->r8)
#define AA_RESULT(regs) ((regs)->ax)
#define AA_RETURN_SLOT 8 /* the return address is on the stack at the beginning, and off it at the end */
#elif defined(__TARGET_ARCH_arm64)
#define AA_ARG1(regs) ((regs)->regs[0])
#define AA_ARG2(regs) ((regs)->regs[1])
#define AA_ARG4(regs) ((regs)->regs[3])
#define AA_ARG5(regs) ((regs)->regs[4])
#define AA_RESULT(regs) ((regs)->regs[0])
#define AA_RETURN_SLOT 0
#endif

/* ---- a call ---- */

/* A call is known by the stack pointer at its function's first byte: `depth` bytes above where it is now. */
static __noinline int on_enter(struct pt_regs* regs, __u32 function, __u32 depth, __u32 listening) {
  struct aa_watched* entry = tls_caller();
  struct aa_tls_call_key key = {};
  struct aa_tls_object object = {};
  struct aa_tls_call call = {};
  struct aa_tls_state* state;
  __u32 result;
  __u64 now;
  AA_OWN_STACK(regs);
  if (!entry || function >= AA_TLS_FUNCTION_COUNT) return 0;
  asm volatile("%0 &= 31" : "+r"(function)); /* the compiler knows the bound; 6.1's verifier loses it */
  result = aa_tls_rows[function & (AA_TLS_ROWS - 1)].result;
  key.tgid = object.tgid = bpf_get_current_pid_tgid() >> 32;
  key.stack = regs->sp + depth;
  call.object = object.object = AA_ARG1(regs);
  call.data = AA_ARG2(regs);
  if (result == AA_TLS_RESULT_OUT4 || result == AA_TLS_RESULT_EARLY) call.out = AA_ARG4(regs);
  if (result == AA_TLS_RESULT_OUT5) call.out = AA_ARG5(regs);
  call.function = function;
  call.listening = listening;
  call.tid = (__u32)bpf_get_current_pid_tgid();
  call.start_ns = entry->start_ns;
  state = bpf_map_lookup_elem(&aa_tls_connections, &object);
  if (state && is_current(state, entry, listening))
    call.told = state->told[aa_tls_rows[function & (AA_TLS_ROWS - 1)].direction & 1];
  tls_thread_begin(object.object);
  if (!bpf_map_update_elem(&aa_tls_calls, &key, &call, BPF_ANY)) {
    if (state && result == AA_TLS_RESULT_SENT) state->sending = (__u32)key.stack;
    return 0;
  }
  now = bpf_ktime_get_boot_ns();
  tls_attempt(entry->slot, now);
  tls_lost(AA_CAUSE_CALLS_FULL, entry->slot, now);
  tls_thread_cannot_note();
  begin_anew(object.object, now);
  return 0;
}

static __always_inline const volatile struct aa_tls_row* row_of(struct aa_tls_call* call) {
  return &aa_tls_rows[call->function & (AA_TLS_ROWS - 1)];
}

/* How many bytes the call moved; 0 when it failed or must be repeated. */
static __always_inline __u64 bytes_moved(struct aa_tls_call* call, __u64 result) {
  __u64 bytes = 0;
  switch (row_of(call)->result) {
    case AA_TLS_RESULT_INT:
      return (__s32)result > 0 ? (__u32)result : 0;
    case AA_TLS_RESULT_LONG:
    case AA_TLS_RESULT_FILE:
      return (__s64)result > 0 ? result : 0;
    case AA_TLS_RESULT_SENT:
    case AA_TLS_RESULT_MADE:
      return 0;
    case AA_TLS_RESULT_EARLY:
      if ((__s32)result != 1 && (__s32)result != 2) return 0;
      break;
    default:
      if ((__s32)result != 1) return 0;
  }
  bpf_probe_read_user(&bytes, sizeof(bytes), (void*)call->out);
  return bytes;
}

static __always_inline void fill_head(struct aa_tls* head, struct aa_watched* entry, struct aa_tls_state* state,
                                      __u64 now) {
  __u64 caller = bpf_get_current_pid_tgid();
  __builtin_memset(head, 0, sizeof(*head));
  head->version = AA_RECORD_VERSION;
  head->kind = AA_KIND_TLS;
  head->boot_ns = now;
  head->start_ns = entry->start_ns;
  head->tgid = caller >> 32;
  head->tid = caller;
  head->slot = entry->slot;
  head->image = entry->image;
  head->connection = state->id;
  head->flags = state->flags & AA_TLS_FLAG_FROM_START;
}

/* Told once, and again with the next call while the ring is full. A function of its own for its stack's sake. */
__noinline int announce(__u64 stack, __u32 tgid) {
  struct aa_tls_call* call = call_at(stack, tgid);
  struct aa_tls_object key = {.tgid = tgid};
  struct aa_tls_connection record;
  struct aa_tls_state* state;
  if (!call) return 0;
  key.object = call->object;
  state = bpf_map_lookup_elem(&aa_tls_connections, &key);
  if (!state) return 0;
  __builtin_memcpy(&record.tls, &call->head, sizeof(record.tls));
  record.tls.kind = AA_KIND_TLS_CONNECTION;
  record.tls.size = sizeof(record);
  record.inherited_from = state->inherited_from;
  __builtin_memcpy(&record.peer, &state->peer, sizeof(record.peer));
  tls_attempt(call->head.slot, call->head.boot_ns);
  if (bpf_ringbuf_output(&aa_tls_ring, &record, sizeof(record), tls_wake_flags()))
    tls_lost(AA_CAUSE_RING_FULL, call->head.slot, call->head.boot_ns);
  else
    state->announced = 1;
  return 0;
}

/* Where it was. Two threads may use an object at once (QUIC's); before 5.12 no atomic answers. */
static __always_inline __u64 advance(__u64* offset, __u64 bytes) {
#if AA_SINCE_5_17
  return __sync_fetch_and_add(offset, bytes);
#else
  __u64 before = *offset;
  *offset += bytes;
  return before;
#endif
}

static __always_inline void send_call(struct aa_watched* entry, struct aa_tls_state* state, struct aa_tls_call* call,
                                      __u64 stack, __u32 tgid, __u64 bytes, __u64 now) {
  const volatile struct aa_tls_row* row = row_of(call);
  __u32 direction = row->direction & 1;
  __u32 level = tls_level(entry->slot);
  struct aa_tls* head = &call->head;
  fill_head(head, entry, state, now);
  if ((state->inherited_from || state->peer.family) && !state->announced) announce(stack, tgid);
  head->function = call->function;
  head->offset = advance(&state->offset[direction], bytes);
  head->call_length = bytes > 0xffffffff ? 0xffffffff : bytes;
  state->frame[direction] = (__u32)stack;
  __sync_fetch_and_add(&state->told[direction], 1);
  state->used_ns = now;
  if (level >= AA_TLS_LEVEL_REDACTED && row->result != AA_TLS_RESULT_FILE) {
    if (level == AA_TLS_LEVEL_FULL) head->flags |= AA_TLS_FLAG_FULL;
    send_bytes(call, stack, tgid, bytes);
    return;
  }
  if (row->result == AA_TLS_RESULT_FILE) head->flags |= AA_TLS_FLAG_FILE;
  head->length = head->call_length;
  tls_attempt(entry->slot, now);
  send_head(head);
}

#define AA_TLS_NEAR 16384u /* an inner call's frame is this near, another thread's is not */

static __always_inline int is_within(__u32 inner, __u32 outer) {
  return outer - inner < AA_TLS_NEAR;
}

/* Called by a function that sends what was told before; or a call that it made has told what it moved. */
static __always_inline int was_told(struct aa_tls_state* state, struct aa_tls_call* call, __u64 stack) {
  __u32 direction = row_of(call)->direction & 1;
  if (state->sending && is_within((__u32)stack, state->sending)) return 1;
  return state->told[direction] != call->told && is_within(state->frame[direction], (__u32)stack);
}

/* A function of its own for its stack's sake. */
static __noinline int end_sending(__u64 object, __u32 tgid) {
  struct aa_tls_object key = {.object = object, .tgid = tgid};
  struct aa_tls_state* state = bpf_map_lookup_elem(&aa_tls_connections, &key);
  if (state) state->sending = 0;
  return 0;
}

/* A call has moved bytes. */
static __always_inline void tell_call(struct aa_watched* entry, struct aa_tls_call* call, __u64 stack, __u32 tgid,
                                      __u64 bytes, __u64 now) {
  struct aa_tls_state* state = connection_of(entry, tgid, call->object, call->listening, now);
  if (!state) {
    tls_attempt(entry->slot, now);
    tls_lost(AA_CAUSE_CONNECTIONS_FULL, entry->slot, now);
    ledger_add(AA_FAMILY_TLS, AA_CAUSE_LOST_BYTES, bytes, now);
    return;
  }
  learn_peer(state, row_of(call)->direction & 1);
  if (!was_told(state, call, stack)) send_call(entry, state, call, stack, tgid, bytes, now);
}

static __always_inline void send_closed(struct aa_watched* entry, struct aa_tls_state* state, __u64 now) {
  struct aa_tls head;
  if (!state->told[0] && !state->told[1]) return;
  fill_head(&head, entry, state, now);
  head.kind = AA_KIND_TLS_CLOSED;
  tls_attempt(entry->slot, now);
  send_head(&head);
}

/* The caller's object is no more, whatever became of it. A function of its own for its callers' stacks' sake. */
static __noinline int end_connection(__u64 object) {
  struct aa_tls_object key = {.object = object, .tgid = bpf_get_current_pid_tgid() >> 32};
  struct aa_tls_state* state = bpf_map_lookup_elem(&aa_tls_connections, &key);
  struct aa_watched* entry = tls_caller();
  __u64 now = bpf_ktime_get_boot_ns();
  if (!entry || !state || state->freed_ns || state->start_ns != entry->start_ns) return 0;
  send_closed(entry, state, now);
  state->freed_ns = now;
  return 0;
}

/* What was there before has ended, whether that was seen or not. */
static __always_inline void begin_object(struct aa_tls_object* key, struct aa_watched* entry, __u32 listening,
                                         __u32 references) {
  struct aa_tls_state state;
  end_connection(key->object);
  begin_connection(&state, entry, listening, bpf_ktime_get_boot_ns());
  state.flags = AA_TLS_FLAG_FROM_START;
  state.references = references;
  bpf_map_update_elem(&aa_tls_connections, key, &state, BPF_ANY);
}

/* A call has put the object that it made where its first argument points. A function of its own for its stack's sake.
 */
static __noinline int begin_made(__u64 address, __u32 listening) {
  struct aa_watched* entry = tls_caller();
  struct aa_tls_object key = {.tgid = bpf_get_current_pid_tgid() >> 32};
  if (!entry || bpf_probe_read_user(&key.object, sizeof(key.object), (void*)address)) return 0;
  begin_object(&key, entry, listening, 0);
  return 0;
}

/* Without cookies the number is all libraries': what was begun before another one's rewriting goes on after it. */
static __always_inline int is_of(struct aa_tls_call* call, __u32 listening) {
#if AA_SINCE_5_17
  return call->listening == listening;
#else
  call->listening = listening;
  return 1;
#endif
}

/* `stack`: the stack pointer at the function's first byte. A place that is `shared` is come to without a call too. */
static __always_inline int on_return(struct pt_regs* regs, __u64 stack, __u32 listening, int shared) {
  struct aa_watched* entry = tls_caller();
  struct aa_tls_call_key key = {};
  struct aa_tls_call* call;
  __u64 bytes, now;
  AA_OWN_STACK(regs);
  if (!entry) return 0;
  tls_thread_end();
  key.tgid = bpf_get_current_pid_tgid() >> 32;
  key.stack = stack;
  call = bpf_map_lookup_elem(&aa_tls_calls, &key);
  now = bpf_ktime_get_boot_ns();
  if (!call || call->start_ns != entry->start_ns || !is_of(call, listening)) {
    if (!shared && !tls_thread_could_not_note() && (__s32)AA_RESULT(regs) > 0)
      ledger_count(AA_FAMILY_TLS, AA_CAUSE_LATE_ATTACH, now);
    return 0;
  }
  bytes = bytes_moved(call, AA_RESULT(regs));
  if (bytes) tell_call(entry, call, key.stack, key.tgid, bytes, now);
  if (row_of(call)->result == AA_TLS_RESULT_SENT) end_sending(call->object, key.tgid);
  if (row_of(call)->result == AA_TLS_RESULT_MADE && !(__u32)AA_RESULT(regs)) begin_made(call->object, listening);
  bpf_map_delete_elem(&aa_tls_calls, &key);
  return 0;
}

/* ---- an object's life ---- */

static __always_inline int on_new(struct pt_regs* regs, __u32 listening) {
  struct aa_watched* entry = tls_caller();
  struct aa_tls_object key = {};
  AA_OWN_STACK(regs);
  if (!entry || !AA_RESULT(regs)) return 0;
  key.object = AA_RESULT(regs);
  key.tgid = bpf_get_current_pid_tgid() >> 32;
  begin_object(&key, entry, listening, 0);
  return 0;
}

static __noinline int on_life(struct pt_regs* regs, __u32 what, __u32 listening) {
  struct aa_watched* entry = tls_caller();
  struct aa_tls_object key = {};
  struct aa_tls_state* state;
  int is_new;
  AA_OWN_STACK(regs);
  if (!entry) return 0;
  key.object = AA_ARG1(regs);
  key.tgid = bpf_get_current_pid_tgid() >> 32;
  state = bpf_map_lookup_elem(&aa_tls_connections, &key);
  if (!state || !is_current(state, entry, listening)) {
    if (what == AA_TLS_LIFE_FREE || what == AA_TLS_LIFE_UP_REF) return 0;
    /* A parent's, or its making was not seen: it may have been in use. */
    make_connection(key.object, listening, bpf_ktime_get_boot_ns());
    state = bpf_map_lookup_elem(&aa_tls_connections, &key);
  }
  if (!state || what == AA_TLS_LIFE_BEGIN) return 0;
  if (what == AA_TLS_LIFE_FD) {
    if (AA_ARG2(regs) < AA_TLS_MOST_FD) set_peer(state, AA_ARG2(regs));
    return 0;
  }
  if (what == AA_TLS_LIFE_UP_REF) {
    state->references += 1;
    return 0;
  }
  if (what == AA_TLS_LIFE_FREE && state->references) {
    state->references -= 1;
    return 0;
  }
  if (what == AA_TLS_LIFE_FREE) return end_connection(key.object);
  /* Every handshake begins with a clearing: then it is as new as it was. */
  is_new = (state->flags & AA_TLS_FLAG_FROM_START) && !state->told[0] && !state->told[1] && !state->inherited_from;
  if (!is_new) begin_object(&key, entry, listening, state->references);
  return 0;
}

/* ---- attach points ---- */

#if AA_SINCE_5_17
#define AA_LISTENING(regs) AA_TLS_COOKIE_LISTENING(bpf_get_attach_cookie(regs))

SEC("uprobe")
int aa_tls_enter(struct pt_regs* regs) {
  __u32 cookie = bpf_get_attach_cookie(regs);
  return on_enter(regs, AA_TLS_COOKIE_ROW(cookie), AA_TLS_COOKIE_DEPTH(cookie), AA_LISTENING(regs));
}

SEC("uprobe")
int aa_tls_end(struct pt_regs* regs) {
  __u32 cookie = bpf_get_attach_cookie(regs);
  return on_return(regs, regs->sp + AA_TLS_COOKIE_DEPTH(cookie), AA_LISTENING(regs), (cookie & AA_TLS_SHARED) != 0);
}

SEC("uprobe")
int aa_tls_life(struct pt_regs* regs) {
  __u32 cookie = bpf_get_attach_cookie(regs);
  return on_life(regs, AA_TLS_COOKIE_ROW(cookie), AA_LISTENING(regs));
}
#else
/* One number for all libraries. */
#define AA_LISTENING(regs) aa_tls_state.relistened

#define AA_TLS_PROGRAM(id, short, name, direction, result)     \
  SEC("uprobe")                                                \
  int aa_in_##short(struct pt_regs * regs) {                   \
    return on_enter(regs, AA_TLS_##id, 0, AA_LISTENING(regs)); \
  }
AA_TLS_FUNCTIONS(AA_TLS_PROGRAM)

SEC("uprobe")
int aa_tls_end(struct pt_regs* regs) {
  return on_return(regs, regs->sp, AA_LISTENING(regs), 0);
}

SEC("uprobe")
int aa_tls_end_shared(struct pt_regs* regs) {
  return on_return(regs, regs->sp, AA_LISTENING(regs), 1);
}

SEC("uprobe")
int aa_life_free(struct pt_regs* regs) {
  return on_life(regs, AA_TLS_LIFE_FREE, AA_LISTENING(regs));
}

SEC("uprobe")
int aa_life_clear(struct pt_regs* regs) {
  return on_life(regs, AA_TLS_LIFE_CLEAR, AA_LISTENING(regs));
}

SEC("uprobe")
int aa_life_up_ref(struct pt_regs* regs) {
  return on_life(regs, AA_TLS_LIFE_UP_REF, AA_LISTENING(regs));
}

SEC("uprobe")
int aa_life_fd(struct pt_regs* regs) {
  return on_life(regs, AA_TLS_LIFE_FD, AA_LISTENING(regs));
}

SEC("uprobe")
int aa_life_begin(struct pt_regs* regs) {
  return on_life(regs, AA_TLS_LIFE_BEGIN, AA_LISTENING(regs));
}
#endif

SEC("uretprobe")
int aa_tls_return(struct pt_regs* regs) {
  return on_return(regs, regs->sp - AA_RETURN_SLOT, AA_LISTENING(regs), 0);
}

SEC("uretprobe")
int aa_tls_new(struct pt_regs* regs) {
  return on_new(regs, AA_LISTENING(regs));
}

/* At a return of it, where there are no return probes. */
SEC("uprobe")
int aa_tls_new_end(struct pt_regs* regs) {
  return on_new(regs, AA_LISTENING(regs));
}

/* ---- the sockets around calls: the first pair where the kernel has it (6.3 and later). raw_tp, not tp_btf: for that
 *      libbpf would read all of the kernel's types once more, as it does for the other ---- */

SEC("raw_tp/sock_send_length")
int aa_tls_sent(__u64* arguments) {
  on_socket((struct sock*)arguments[0], 1);
  return 0;
}

SEC("raw_tp/sock_recv_length")
int aa_tls_received(__u64* arguments) {
  on_socket((struct sock*)arguments[0], 0);
  return 0;
}

SEC("fentry/tcp_sendmsg")
int aa_tls_sends(__u64* arguments) {
  on_socket((struct sock*)arguments[0], 1);
  return 0;
}

SEC("fentry/tcp_recvmsg")
int aa_tls_receives(__u64* arguments) {
  on_socket((struct sock*)arguments[0], 0);
  return 0;
}
