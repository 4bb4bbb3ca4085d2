/* The TLS family's own maps. Sizes marked 1 are set by user space before load. */
#ifndef AA_TLS_MAPS_BPF_H
#define AA_TLS_MAPS_BPF_H

#include "abi/tls.h"
#include "lib/maps.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 8 * 1024 * 1024);
} aa_tls_ring SEC(".maps");

/* Neither is LRU: forgetting would be a silent loss. User space takes out what processes left behind. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct aa_tls_call_key);
  __type(value, struct aa_tls_call);
} aa_tls_calls SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct aa_tls_object);
  __type(value, struct aa_tls_state);
} aa_tls_connections SEC(".maps");

/* LRU: what is forgotten is a peer that nobody will know. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, struct aa_tls_thread);
} aa_tls_threads SEC(".maps");

struct aa_tls_settings aa_tls_state SEC(".data.tls") = {};

#endif
