/* Who is at a connection's other end: by the descriptor that the library is given, else by the sockets that its thread
 * uses inside of the call, before and after it.
 */
#ifndef AA_TLS_PEER_BPF_H
#define AA_TLS_PEER_BPF_H

#include "lib/tls_connection.bpf.h"

static __always_inline void read_peer(struct aa_tls_peer* peer, struct sock* sock, __u8 source) {
  __u16 family = BPF_CORE_READ(sock, __sk_common.skc_family);
  peer->family = 0;
  peer->source = source;
  peer->port = __builtin_bswap16(BPF_CORE_READ(sock, __sk_common.skc_dport));
  if (family == AA_AF_INET) {
    __builtin_memset(peer->address, 0, sizeof(peer->address));
    BPF_CORE_READ_INTO((__u32*)peer->address, sock, __sk_common.skc_daddr);
  } else if (family == AA_AF_INET6) {
    BPF_CORE_READ_INTO((struct in6_addr*)peer->address, sock, __sk_common.skc_v6_daddr);
  } else {
    return;
  }
  if (peer->port) peer->family = family; /* without one it is not connected yet */
}

/* The other end of the socket behind a descriptor. GnuTLS takes descriptors and pointers alike; these are larger. */
#define AA_TLS_MOST_FD (1u << 20)
static __always_inline void set_peer(struct aa_tls_state* state, __u32 fd) {
  struct file* file = file_of((struct task_struct*)bpf_get_current_task(), fd);
  struct socket* socket;
  state->peer.family = 0;
  state->peer.source = AA_TLS_PEER_DESCRIPTOR;
  state->announced = 0;
  if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & AA_S_IFMT) != AA_S_IFSOCK) return;
  socket = BPF_CORE_READ(file, private_data);
  read_peer(&state->peer, BPF_CORE_READ(socket, sk), AA_TLS_PEER_DESCRIPTOR);
}

static __always_inline void use_peer(struct aa_tls_state* state, struct aa_tls_peer* peer, __u8 source) {
  __builtin_memcpy(&state->peer, peer, sizeof(state->peer));
  state->peer.source = source;
  state->announced = 0;
}

/* ---- a thread's calls ---- */

/* The caller's row, made when it has none; functions of their own for their callers' stacks' sake. */
__noinline int tls_thread_begin(__u64 object) {
  __u64 id = bpf_get_current_pid_tgid();
  struct aa_tls_thread* thread = bpf_map_lookup_elem(&aa_tls_threads, &id);
  struct aa_tls_thread fresh = {};
  if (!thread) {
    bpf_map_update_elem(&aa_tls_threads, &id, &fresh, BPF_ANY);
    thread = bpf_map_lookup_elem(&aa_tls_threads, &id);
    if (!thread) return 0;
  }
  if (thread->object != object) thread->is_pending = 0;
  thread->object = object;
  thread->is_inside = 1;
  thread->during.family = 0;
  thread->during.source = 0;
  return 0;
}

__noinline int tls_thread_end(void) {
  __u64 id = bpf_get_current_pid_tgid();
  struct aa_tls_thread* thread = bpf_map_lookup_elem(&aa_tls_threads, &id);
  if (thread) thread->is_inside = 0;
  return 0;
}

/* A call begins that there is no room to note: its end will not be found. */
__noinline int tls_thread_cannot_note(void) {
  __u64 id = bpf_get_current_pid_tgid();
  struct aa_tls_thread* thread = bpf_map_lookup_elem(&aa_tls_threads, &id);
  if (thread) thread->unnoted += 1;
  return 0;
}

/* True when an end that was not found is that of such a call. */
__noinline int tls_thread_could_not_note(void) {
  __u64 id = bpf_get_current_pid_tgid();
  struct aa_tls_thread* thread = bpf_map_lookup_elem(&aa_tls_threads, &id);
  if (!thread || !thread->unnoted) return 0;
  thread->unnoted -= 1;
  return 1;
}

/* It has a descriptor of its own, or a call of it was seen to use a socket that has no such peer: what its thread does
 * outside of its calls is somebody else's. */
static __always_inline int may_be_guessed(struct aa_tls_state* state) {
  return !state->peer.family && state->peer.source != AA_TLS_PEER_DESCRIPTOR && state->peer.source != AA_TLS_PEER_CALL;
}

/* A call has moved bytes: what its thread did shows whose they are. */
static __always_inline void learn_peer(struct aa_tls_state* state, __u32 direction) {
  __u64 id = bpf_get_current_pid_tgid();
  struct aa_tls_thread* thread;
  if (state->peer.source == AA_TLS_PEER_CALL || (state->peer.family && state->peer.source != AA_TLS_PEER_THREAD))
    return;
  thread = bpf_map_lookup_elem(&aa_tls_threads, &id);
  if (!thread) return;
  if (thread->during.family || thread->during.source == AA_TLS_PEER_CALL)
    use_peer(state, &thread->during, AA_TLS_PEER_CALL);
  else if (may_be_guessed(state) && direction == AA_TLS_SEND)
    thread->is_pending = 1;
  else if (may_be_guessed(state) && thread->before.family)
    use_peer(state, &thread->before, AA_TLS_PEER_THREAD);
}

/* ---- its sockets ---- */

static __always_inline void sent_after(struct aa_watched* entry, struct aa_tls_thread* thread, struct sock* sock,
                                       __u32 tgid) {
  struct aa_tls_object key = {.object = thread->object, .tgid = tgid};
  struct aa_tls_state* state = bpf_map_lookup_elem(&aa_tls_connections, &key);
  thread->is_pending = 0;
  if (!state || !is_living(state, entry) || !may_be_guessed(state)) return;
  read_peer(&state->peer, sock, AA_TLS_PEER_THREAD);
  state->announced = 0;
}

#define AA_SOCK_STREAM 1
#define AA_AF_UNIX 1
/* One between processes of this machine has no address that would be a peer: read_peer tells none. */
static __always_inline int can_carry_tls(struct sock* sock) {
  __u16 family = BPF_CORE_READ(sock, __sk_common.skc_family);
  return (family == AA_AF_INET || family == AA_AF_INET6 || family == AA_AF_UNIX) &&
         BPF_CORE_READ(sock, sk_type) == AA_SOCK_STREAM;
}

/* A thread sends to or receives from a socket. */
static __always_inline void on_socket(struct sock* sock, int sends) {
  struct aa_watched* entry = tls_caller();
  __u64 id = bpf_get_current_pid_tgid();
  struct aa_tls_thread* thread;
  if (!entry || !can_carry_tls(sock)) return;
  thread = bpf_map_lookup_elem(&aa_tls_threads, &id);
  if (!thread && !sends) {
    struct aa_tls_thread fresh = {};
    bpf_map_update_elem(&aa_tls_threads, &id, &fresh, BPF_ANY);
    thread = bpf_map_lookup_elem(&aa_tls_threads, &id);
  }
  if (!thread) return;
  if (thread->is_inside) {
    if (!thread->during.family) read_peer(&thread->during, sock, AA_TLS_PEER_CALL);
  } else if (!sends) {
    read_peer(&thread->before, sock, AA_TLS_PEER_THREAD);
  } else if (thread->is_pending) {
    sent_after(entry, thread, sock, id >> 32);
  }
}

#endif
