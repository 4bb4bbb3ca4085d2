/* Reads and writes: the first of a process on a file is an event, the rest are added up, until the file is closed or
 * user space fetches the sums. */
#ifndef AA_SUMS_BPF_H
#define AA_SUMS_BPF_H

#include "lib/file_record.bpf.h"

static __always_inline void* sums_now(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&aa_sums_now, &zero);
}

/* By the rules in force: calls judged by others are in another sum. */
static __always_inline void name_sum(struct aa_sum_key* key, struct file* file, __u32 tgid, __u64 start_ns) {
  struct inode* inode = BPF_CORE_READ(file, f_inode);
  key->file = (__u64)file;
  key->ino = BPF_CORE_READ(inode, i_ino);
  key->start_ns = start_ns;
  key->dev = BPF_CORE_READ(inode, i_sb, s_dev);
  key->inode_generation = generation_of(inode);
  key->tgid = tgid;
  key->generation = aa_file_state.generation;
}

static __always_inline void add_up(struct aa_sum* sum, __u32 op, __u64 bytes, __u64 now) {
  if (op == AA_OP_READ) {
    __sync_fetch_and_add(&sum->read_bytes, bytes);
    __sync_fetch_and_add(&sum->reads, 1);
  } else {
    __sync_fetch_and_add(&sum->write_bytes, bytes);
    __sync_fetch_and_add(&sum->writes, 1);
  }
  sum->last_ns = now;
}

/* Nothing was moved, and the caller will ask again. */
static __always_inline int tries_again(long result) {
  return result == -11 || result == -4 || is_interrupted(result); /* EAGAIN, EINTR */
}

/* The sum of s->key, made when there is none; 0 when there is no room. */
static __always_inline struct aa_sum* sum_made(struct aa_file_scratch* s, void* sums) {
  struct aa_sum* sum = bpf_map_lookup_elem(sums, &s->key);
  if (sum) return sum;
  __builtin_memset(&s->sum, 0, sizeof(s->sum));
  s->sum.generation = s->record.generation;
  s->sum.slot = s->record.header.slot;
  bpf_map_update_elem(sums, &s->key, &s->sum, BPF_NOEXIST); /* another thread's is as good */
  return bpf_map_lookup_elem(sums, &s->key);
}

/* A call that moved `result` bytes, or failed. The record must have been begun, and s->key named. */
__noinline int on_moved(__u32 kind, __u64 address, __u32 op, long result) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct file* file = (struct file*)address;
  __u64 now, text;
  __u64 bytes = result > 0 ? result : 0;
  struct aa_sum* sum = 0;
  void* sums;
  if (!s) return 0;
  now = s->record.header.boot_ns;
  s->key.generation = s->record.generation;
  s->record.op = op;
  s->record.result = result;
  s->record.bytes = bytes;
  text = put_file(s, kind, file, 0);
  if (result < 0 || aa_file_state.each || s->record.flags & (AA_FILE_DENIED | AA_FILE_WATCHED)) {
    emit_file(s, text);
    return 0;
  }
  sums = sums_now();
  if (sums) sum = sum_made(s, sums);
  if (!sum) {
    ledger_count(AA_FAMILY_FILE, AA_CAUSE_SUM_FULL, now);
    emit_file(s, text);
    return 0;
  }
  if (!(sum->told & 1u << op)) {
    s->record.file = (__u64)file;
    if (try_file(s, text)) {
      sum->told |= 1u << op; /* a bit lost to another thread only means one more event like this */
      attempt(AA_FAMILY_FILE, s->record.header.slot, now);
      return 0; /* this call is in the event */
    }
  }
  add_up(sum, op, bytes, now); /* not lost: counted here, and the next call tries to tell the path again */
  return 0;
}

/* A rule has learned of the file since its sum began. */
static __always_inline int is_ruled(struct aa_sum_key* key) {
  void* objects = objects_of(aa_file_state.generation);
  struct aa_object_key at = {.ino = key->ino, .dev = key->dev, .kind = AA_OBJECT_FILE};
  struct aa_object* object;
  if (!aa_file_state.generation || !objects) return 0;
  object = bpf_map_lookup_elem(objects, &at);
  return object && object->flags && object->inode_generation == key->inode_generation;
}

/* True when the call was added to a sum already open and judged by the rules in force. */
static __always_inline int summed(struct aa_sum_key* key, __u32 op, long result, __u64 now) {
  void* sums = sums_now();
  struct aa_sum* sum;
  if (result < 0 || aa_file_state.each || !sums) return 0;
  sum = bpf_map_lookup_elem(sums, key);
  if (!sum || !(sum->told & 1u << op)) return 0;
  if (is_ruled(key)) return 0;
  add_up(sum, op, result, now);
  return 1;
}

static __always_inline int last_reference(struct file* file) {
  if (bpf_core_field_exists(file->f_ref)) return BPF_CORE_READ(file, f_ref.refcnt.counter) == 0;
  return BPF_CORE_READ((struct file___counted*)file, f_count.counter) == 1;
}

/* The last descriptor of a file is being closed: nobody can be inside a read of it, so its sum is final. Whoever
 * deletes it owns it: user space fetching the idle map at the same time takes it, or this does, never both. */
static __always_inline void finish_sum(struct aa_file_scratch* s, void* sums, struct task_struct* task,
                                       struct aa_watched* entry, __u64 now) {
  struct aa_sum* sum = bpf_map_lookup_elem(sums, &s->key);
  if (!sum) return;
  __builtin_memcpy(&s->sum_record.sum, sum, sizeof(*sum));
  if (bpf_map_delete_elem(sums, &s->key)) return;
  if (!s->sum_record.sum.reads && !s->sum_record.sum.writes) return; /* the events of its first calls said it all */
  __builtin_memcpy(&s->sum_record.key, &s->key, sizeof(s->key));
  header_from_task(&s->sum_record.header, task, AA_KIND_FILE_SUM, sizeof(s->sum_record), now);
  header_from_entry(&s->sum_record.header, entry);
  if (!bpf_ringbuf_output(&aa_file_ring, &s->sum_record, sizeof(s->sum_record), wake_flags())) {
    attempt(AA_FAMILY_FILE, entry->slot, now);
    return;
  }
  /* User space fetches it with the others. */
  if (!bpf_map_update_elem(sums, &s->key, &s->sum_record.sum, BPF_NOEXIST)) return;
  attempt(AA_FAMILY_FILE, entry->slot, now);
  lost(AA_FAMILY_FILE, AA_CAUSE_RING_FULL, entry->slot, now);
}

/* Those of both maps: user space may be fetching one of them. */
__noinline int finish_sums(__u32 kind, __u64 address, __u64 file) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct task_struct* task = (struct task_struct*)address;
  struct aa_watched* entry = watched_now(task);
  __u64 now = bpf_ktime_get_boot_ns();
  if (!s || !entry) return 0;
  name_sum(&s->key, (struct file*)file, BPF_CORE_READ(task, tgid), entry->start_ns);
  finish_sum(s, &aa_sums_a, task, entry, now);
  finish_sum(s, &aa_sums_b, task, entry, now);
  return 0;
}

#endif
