/* Path rules as the kernel knows them: by device and inode, and by name in a folder. It collects what it meets; who
 * wins is user space's to say. */
#ifndef AA_RULES_BPF_H
#define AA_RULES_BPF_H

#include "lib/emit.bpf.h"
#include "lib/file_maps.bpf.h"

/* Global, so that the verifier does not go on in two ways after each of them. */
__noinline int add_object_id(__u32 kind, __u32 id, __u32 denies) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  __u32 at;
  if (!s || !id) return 0;
  at = s->record.objects;
  if (at >= AA_FILE_OBJECTS || (at >= AA_FILE_OBJECTS_ANY && !denies)) {
    ledger_count(AA_FAMILY_FILE, AA_CAUSE_RULES_CUT, s->record.header.boot_ns);
    return 0;
  }
  s->record.object[at & (AA_FILE_OBJECTS - 1)] = id;
  s->record.objects = at + 1;
  return 0;
}

static __always_inline void met(__u32 kind, struct aa_file_scratch* s, struct aa_object* object) {
  __u32 denies = object->flags & AA_OBJECT_DENIES;
  if (denies) s->record.flags |= AA_FILE_DENIED;
  if (object->flags & AA_OBJECT_WATCHES) s->record.flags |= AA_FILE_WATCHED;
  add_object_id(kind, object->id[0], denies);
  if (!object->id[1]) return;
  add_object_id(kind, object->id[1], denies);
  add_object_id(kind, object->id[2], denies);
  add_object_id(kind, object->id[3], denies);
}

/* An operation may have begun under rules that are no more: their slots hold others now. */
static __always_inline int is_kept(__u64 generation) {
  return aa_file_state.generation - generation <= 1;
}

static __always_inline void* objects_of(__u64 generation) {
  __u32 slot = generation & 1;
  if (!is_kept(generation)) return 0;
  return bpf_map_lookup_elem(&aa_rule_objects, &slot);
}

static __always_inline void* names_of(__u64 generation) {
  __u32 slot = generation & 1;
  if (!is_kept(generation)) return 0;
  return bpf_map_lookup_elem(&aa_rule_names, &slot);
}

/* True when the rules know the inode as `what`. */
static __always_inline int match_inode(__u32 kind, struct aa_file_scratch* s, struct inode* inode, __u32 what) {
  void* objects = objects_of(s->record.generation);
  struct aa_object* object;
  if (!objects) return 0;
  s->object.ino = BPF_CORE_READ(inode, i_ino);
  s->object.dev = BPF_CORE_READ(inode, i_sb, s_dev);
  s->object.kind = what;
  object = bpf_map_lookup_elem(objects, &s->object);
  if (!object) return 0;
  if (object->inode_generation != generation_of(inode)) return 0;
  met(kind, s, object);
  return 1;
}

static __always_inline void put_learned(struct aa_file_scratch* s, void* objects, struct aa_object_key* key,
                                        struct aa_object* object) {
  if (bpf_map_update_elem(objects, key, object, BPF_ANY))
    ledger_count(AA_FAMILY_FILE, AA_CAUSE_LEARN_FULL, s->record.header.boot_ns);
}

/* It may fail yet. */
static __always_inline void join_later(struct aa_file_scratch* s) {
  struct aa_joined* joined = &s->joined[s->operation.joined & (AA_JOINED - 1)];
  __builtin_memcpy(&joined->key, &s->object, sizeof(joined->key));
  __builtin_memcpy(&joined->object, &s->learned, sizeof(joined->object));
  if (s->operation.joined < AA_JOINED) s->operation.joined += 1;
}

/* A file that stands where a rule names one is that rule's file from now on, whatever else it will be called. */
static __always_inline void learn_inode(struct aa_file_scratch* s, struct inode* inode, struct aa_object* object) {
  void* objects = objects_of(s->record.generation);
  if (!objects) return;
  __builtin_memcpy(&s->learned, object, sizeof(s->learned));
  s->learned.inode_generation = generation_of(inode);
  s->object.ino = BPF_CORE_READ(inode, i_ino);
  s->object.dev = BPF_CORE_READ(inode, i_sb, s_dev);
  s->object.kind = AA_OBJECT_FILE;
  if (s->more.joining)
    join_later(s);
  else
    put_learned(s, objects, &s->object, &s->learned);
}

/* A file is known by one rule more. */
__noinline int add_learned_id(__u32 number, __u32 id) {
  struct aa_file_scratch* s = file_scratch_of(number);
  if (!s || !id) return 0;
  for (__u32 i = 0; i < AA_OBJECT_IDS; i++) {
    if (s->learned.id[i] == id) return 0;
    if (s->learned.id[i]) continue;
    s->learned.id[i] = id;
    return 0;
  }
  ledger_count(AA_FAMILY_FILE, AA_CAUSE_LEARN_FULL, s->record.header.boot_ns);
  return 0;
}

/* What it is known as already, it stays. */
__noinline int learn_one_joined(__u32 number, __u32 which) {
  struct aa_file_scratch* s = file_scratch_of(number);
  struct aa_object* known;
  struct aa_joined* joined;
  void* objects;
  if (!s) return 0;
  objects = objects_of(s->record.generation);
  joined = &s->joined[which & (AA_JOINED - 1)];
  if (!objects) return 0;
  __builtin_memcpy(&s->object, &joined->key, sizeof(s->object));
  __builtin_memcpy(&s->learned, &joined->object, sizeof(s->learned));
  known = bpf_map_lookup_elem(objects, &s->object);
  if (known && known->inode_generation == joined->object.inode_generation) {
    __builtin_memcpy(&s->learned, known, sizeof(s->learned));
    s->learned.flags |= joined->object.flags;
    for (__u32 i = 0; i < AA_OBJECT_IDS; i++) add_learned_id(number, joined->object.id[i]);
  }
  put_learned(s, objects, &s->object, &s->learned);
  return 0;
}

/* The operation has succeeded: what got a rule's name by it is that rule's file from now on. */
static __always_inline void learn_joined(struct aa_file_scratch* s, __u32 number) {
  __u32 joined = s->operation.joined;
  if (joined > 0) learn_one_joined(number, 0);
  if (joined > 1) learn_one_joined(number, 1);
}

static __always_inline void match_name(__u32 kind, struct aa_file_scratch* s, struct dentry* dentry,
                                       struct inode* inode, int known) {
  void* names = names_of(s->record.generation);
  struct dentry* parent = BPF_CORE_READ(dentry, d_parent);
  struct inode* folder = BPF_CORE_READ(parent, d_inode);
  struct aa_object* object;
  __u64 len = BPF_CORE_READ(dentry, d_name.len);
  if (!names || parent == dentry) return;
  __builtin_memset(&s->name, 0, sizeof(s->name));
  s->name.ino = BPF_CORE_READ(folder, i_ino);
  s->name.dev = BPF_CORE_READ(folder, i_sb, s_dev);
  s->name.length = len;
  if (len > AA_RULE_NAME) len = AA_RULE_NAME;
  asm volatile("%0 &= 63" : "+r"(len));
  if (len > AA_RULE_NAME) return;
  bpf_probe_read_kernel(s->name.name, len, BPF_CORE_READ(dentry, d_name.name));
  object = bpf_map_lookup_elem(names, &s->name);
  if (!object) return;
  if (!known || (object->flags & AA_OBJECT_DENIES && !(s->record.flags & AA_FILE_DENIED))) met(kind, s, object);
  if (s->more.joining)
    learn_inode(s, (struct inode*)s->more.joining, object);
  else if (inode && !known)
    learn_inode(s, inode, object);
}

/* The object itself; its folders are met by the walk. `folder`: what is meant is below it. Global: what it finds would
 * double the ways through the walk. */
__noinline int match_self(__u32 kind, __u64 address, __u32 folder) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct dentry* dentry = (struct dentry*)address;
  struct inode* inode;
  int known = 0;
  if (!s) return 0;
  inode = BPF_CORE_READ(dentry, d_inode);
  if (inode) {
    if (!folder) known = match_inode(kind, s, inode, AA_OBJECT_FILE);
    match_inode(kind, s, inode, AA_OBJECT_DIRECTORY);
  }
  if (!folder) match_name(kind, s, dentry, inode, known);
  return 0;
}

#endif
