/* What a call moved, as records: small ones from the stack, larger ones read straight into the ring.
 *
 * No buffer of a CPU's own ever holds plaintext: newer kernels may run another thread's program in the middle. What is
 * to be sent next lies in the call's own row of aa_tls_calls, so that functions of their own, which take numbers only,
 * find it and the verifier looks at each once.
 */
#ifndef AA_TLS_SEND_BPF_H
#define AA_TLS_SEND_BPF_H

#include "lib/tls_connection.bpf.h"

/* Calls up to this are copied from the stack. 5.10 counts the stacks of all callers together. */
#if AA_SINCE_5_17
#define AA_TLS_SMALL 192
#else
#define AA_TLS_SMALL 96
#define AA_TLS_MIDDLE 192
#endif
#define AA_TLS_CHUNK (32 * 1024)
#define AA_TLS_CHUNKS 256

/* The reader is woken once for each time it went to wait: a batch costs one wake-up. */
__noinline int tls_wake_flags(void) {
  if (!aa_tls_state.idle) return BPF_RB_NO_WAKEUP;
  aa_tls_state.idle = 0;
  return BPF_RB_FORCE_WAKEUP;
}

__noinline int tls_attempt(__u32 slot, __u64 now) {
  attempt(AA_FAMILY_TLS, slot, now);
  return 0;
}

__noinline int tls_lost(__u32 cause, __u32 slot, __u64 now) {
  lost(AA_FAMILY_TLS, cause, slot, now);
  return 0;
}

/* No room for a record, which was to tell so many bytes. */
__noinline int tls_unsent(__u32 slot, __u64 bytes, __u64 now) {
  lost(AA_FAMILY_TLS, AA_CAUSE_RING_FULL, slot, now);
  ledger_add(AA_FAMILY_TLS, AA_CAUSE_LOST_BYTES, bytes, now);
  return 0;
}

/* A record without bytes. */
static __always_inline void send_head(struct aa_tls* head) {
  head->size = sizeof(*head);
  if (bpf_ringbuf_output(&aa_tls_ring, head, sizeof(*head), tls_wake_flags()))
    tls_unsent(head->slot, head->length, head->boot_ns);
}

static __always_inline void send_unread(struct aa_tls* head) {
  head->flags |= AA_TLS_FLAG_UNREAD;
  send_head(head);
}

static __always_inline struct aa_tls_call* call_at(__u64 stack, __u32 tgid) {
  struct aa_tls_call_key key = {.stack = stack, .tgid = tgid};
  return bpf_map_lookup_elem(&aa_tls_calls, &key);
}

/* clang is kept from proving the bound on a copy of the length. */
#define AA_TLS_AT_MOST(length, limit) \
  asm volatile("" : "+r"(length));    \
  if ((length) > (limit)) (length) = (limit)

__noinline int send_small(__u64 stack, __u32 tgid, __u64 bytes) {
  struct {
    struct aa_tls head;
    __u8 data[AA_TLS_SMALL];
  } record;
  struct aa_tls_call* call = call_at(stack, tgid);
  __u64 length = bytes;
  if (!call) return 0;
  AA_TLS_AT_MOST(length, AA_TLS_SMALL);
  if (bpf_probe_read_user(record.data, length, (void*)call->data)) {
    send_unread(&call->head);
    return 0;
  }
  __builtin_memcpy(&record.head, &call->head, sizeof(record.head));
  record.head.size = sizeof(record.head) + length;
  length += sizeof(record.head);
  if (bpf_ringbuf_output(&aa_tls_ring, &record, length, tls_wake_flags()))
    tls_unsent(call->head.slot, call->head.length, call->head.boot_ns);
  return 0;
}

#define AA_TLS_TRY(SIZE)                                                              \
  if (bytes <= (SIZE)) {                                                              \
    struct {                                                                          \
      struct aa_tls head;                                                             \
      __u8 data[SIZE];                                                                \
    }* record = bpf_ringbuf_reserve(&aa_tls_ring, sizeof(struct aa_tls) + (SIZE), 0); \
    __u64 length = bytes;                                                             \
    if (!record) {                                                                    \
      tls_unsent(call->head.slot, call->head.length, call->head.boot_ns);             \
      return 0;                                                                       \
    }                                                                                 \
    AA_TLS_AT_MOST(length, SIZE);                                                     \
    if (bpf_probe_read_user(record->data, length, (void*)call->data)) {               \
      bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);                                  \
      send_unread(&call->head);                                                       \
      return 0;                                                                       \
    }                                                                                 \
    __builtin_memcpy(&record->head, &call->head, sizeof(record->head));               \
    record->head.size = sizeof(record->head) + length;                                \
    bpf_ringbuf_submit(record, tls_wake_flags());                                     \
    return 0;                                                                         \
  }

#if !AA_SINCE_5_17
/* What is too long for the stack takes its length too, but for 7 bytes. */
__noinline int send_middle(__u64 stack, __u32 tgid, __u64 bytes) {
  struct aa_tls_call* call = call_at(stack, tgid);
  if (!call) return 0;
  AA_TLS_TRY(104)
  AA_TLS_TRY(112)
  AA_TLS_TRY(120)
  AA_TLS_TRY(128)
  AA_TLS_TRY(136)
  AA_TLS_TRY(144)
  AA_TLS_TRY(152)
  AA_TLS_TRY(160)
  AA_TLS_TRY(168)
  AA_TLS_TRY(176)
  AA_TLS_TRY(184)
  AA_TLS_TRY(192)
  return 0;
}
#endif

/* A reservation has a size known beforehand: the next one of a ladder. */
__noinline int send_large(__u64 stack, __u32 tgid, __u64 bytes) {
  struct aa_tls_call* call = call_at(stack, tgid);
  if (!call) return 0;
  AA_TLS_TRY(256)
  AA_TLS_TRY(384)
  AA_TLS_TRY(512)
  AA_TLS_TRY(768)
  AA_TLS_TRY(1024)
  AA_TLS_TRY(1536)
  AA_TLS_TRY(2048)
  AA_TLS_TRY(3072)
  AA_TLS_TRY(4096)
  AA_TLS_TRY(6144)
  AA_TLS_TRY(8192)
  AA_TLS_TRY(12288)
  AA_TLS_TRY(16384)
  AA_TLS_TRY(24576)
  AA_TLS_TRY(AA_TLS_CHUNK)
  return 0;
}

/* Sends the next chunk; true after the last. */
__noinline int send_step(__u64 stack, __u32 tgid) {
  struct aa_tls_call* call = call_at(stack, tgid);
  __u64 bytes;
  if (!call) return 1;
  bytes = call->left < AA_TLS_CHUNK ? call->left : AA_TLS_CHUNK;
  call->left -= bytes;
  call->head.length = bytes;
  call->head.flags &= ~AA_TLS_FLAG_UNREAD;
  if (!call->left && call->not_taken) {
    call->head.length = bytes + call->not_taken;
    call->head.flags |= AA_TLS_FLAG_CUT;
  }
  tls_attempt(call->head.slot, call->head.boot_ns);
  if (bytes <= AA_TLS_SMALL) send_small(stack, tgid, bytes);
#if !AA_SINCE_5_17
  else if (bytes <= AA_TLS_MIDDLE)
    send_middle(stack, tgid, bytes);
#endif
  else
    send_large(stack, tgid, bytes);
  call->head.offset += bytes;
  call->data += bytes;
  return !call->left;
}

/* The bytes of a call, as many of them as are taken of one. */
static __always_inline void send_bytes(struct aa_tls_call* call, __u64 stack, __u32 tgid, __u64 bytes) {
  __u64 limit = aa_tls_state.call_bytes;
  int i;
  call->left = bytes < limit ? bytes : limit;
  call->not_taken = bytes - call->left;
  for (i = 0; i < AA_TLS_CHUNKS; i++)
    if (send_step(stack, tgid)) break;
}

#endif
