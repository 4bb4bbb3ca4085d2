/* Path rules as the kernel knows them: by device and inode, and by name in a folder. It collects what it meets; who
 * wins is user space's to say. */
#ifndef AA_RULES_BPF_H
#define AA_RULES_BPF_H

#include "lib/emit.bpf.h"
#include "lib/file_maps.bpf.h"

/* Global, so that the verifier does not go on in two ways after each of them. */
__noinline int add_object_id(__u32 kind, __u32 id) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  __u32 at;
  if (!s || !id) return 0;
  at = s->record.objects;
  if (at >= AA_FILE_OBJECTS) {
    s->record.flags |= AA_FILE_OBJECTS_CUT;
    return 0;
  }
  s->record.object[at & (AA_FILE_OBJECTS - 1)] = id;
  s->record.objects = at + 1;
  return 0;
}

static __always_inline void met(__u32 kind, struct aa_file_scratch* s, struct aa_object* object) {
  if (object->flags & AA_OBJECT_DENIES) s->record.flags |= AA_FILE_DENIED;
  if (object->flags & AA_OBJECT_WATCHES) s->record.flags |= AA_FILE_WATCHED;
  add_object_id(kind, object->id[0]);
  if (!object->id[1]) return;
  add_object_id(kind, object->id[1]);
  add_object_id(kind, object->id[2]);
  add_object_id(kind, object->id[3]);
}

static __always_inline void* objects_of(__u64 generation) {
  __u32 slot = generation & 1;
  return bpf_map_lookup_elem(&aa_rule_objects, &slot);
}

static __always_inline void* names_of(__u64 generation) {
  __u32 slot = generation & 1;
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
  if (object->inode_generation != BPF_CORE_READ(inode, i_generation)) return 0;
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
  s->learned.inode_generation = BPF_CORE_READ(inode, i_generation);
  s->object.ino = BPF_CORE_READ(inode, i_ino);
  s->object.dev = BPF_CORE_READ(inode, i_sb, s_dev);
  s->object.kind = AA_OBJECT_FILE;
  if (s->more.joining)
    join_later(s);
  else
    put_learned(s, objects, &s->object, &s->learned);
}

/* The operation has succeeded: what got a rule's name by it is that rule's file from now on. */
__noinline int learn_joined(__u32 number) {
  struct aa_file_scratch* s = file_scratch_of(number);
  void* objects;
  if (!s) return 0;
  objects = objects_of(s->record.generation);
  if (!objects) return 0;
  if (s->operation.joined > 0) put_learned(s, objects, &s->joined[0].key, &s->joined[0].object);
  if (s->operation.joined > 1) put_learned(s, objects, &s->joined[1].key, &s->joined[1].object);
  return 0;
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
  if (!known) {
    met(kind, s, object);
    if (inode) learn_inode(s, inode, object);
  }
}

/* The object itself; its folders are met by the walk. Global: what it finds would double the ways through the walk. */
__noinline int match_self(__u32 kind, __u64 address) {
  struct aa_file_scratch* s = file_scratch_of(kind);
  struct dentry* dentry = (struct dentry*)address;
  struct inode* inode;
  int known = 0;
  if (!s) return 0;
  inode = BPF_CORE_READ(dentry, d_inode);
  if (inode) {
    known = match_inode(kind, s, inode, AA_OBJECT_FILE);
    match_inode(kind, s, inode, AA_OBJECT_DIRECTORY);
  }
  if (s->more.joining)
    match_name(kind, s, dentry, (struct inode*)s->more.joining, 0);
  else
    match_name(kind, s, dentry, inode, known);
  return 0;
}

#endif
