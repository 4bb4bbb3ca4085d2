/* The kernel's structures, as far as we use them. CO-RE relocates every access; nothing here is a layout.
 *
 * Source of each field: the BTF of 5.10, 6.1, 6.12, 6.18 and 7.2. No vmlinux.h: this page is the list of what we depend
 * on.
 */
#ifndef AA_KERNEL_BPF_H
#define AA_KERNEL_BPF_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <linux/bpf.h>
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  int counter;
} atomic_t;

typedef struct {
  __u32 val;
} kuid_t;

typedef struct {
  __u32 val;
} kgid_t;

struct list_head {
  struct list_head* next;
};

struct upid {
  int nr;
};

struct pid {
  unsigned int level;
  struct upid numbers[1];
};

struct cred {
  kuid_t euid;
  kgid_t egid;
};

struct kernfs_node {
  __u64 id;
};

struct cgroup {
  struct kernfs_node* kn;
};

struct css_set {
  struct cgroup* dfl_cgrp;
};

struct qstr {
  __u32 len;
  const unsigned char* name;
};

struct hlist_bl_node {
  struct hlist_bl_node** pprev;
};

struct dentry {
  struct hlist_bl_node d_hash;
  struct dentry* d_parent;
  struct qstr d_name;
};

struct vfsmount {
  struct dentry* mnt_root;
};

struct mount {
  struct mount* mnt_parent;
  struct dentry* mnt_mountpoint;
  struct vfsmount mnt;
  struct mnt_namespace* mnt_ns;
};

struct path {
  struct vfsmount* mnt;
  struct dentry* dentry;
};

struct inode {
  unsigned short i_mode;
};

struct file {
  struct path f_path;
  struct inode* f_inode;
  void* private_data;
};

struct fdtable {
  struct file** fd;
};

struct files_struct {
  struct fdtable* fdt;
};

struct sock_common {
  unsigned short skc_family;
};

struct sock {
  struct sock_common __sk_common;
};

struct socket {
  struct sock* sk;
};

struct fs_struct {
  struct path root;
  struct path pwd;
};

struct mm_struct {
  unsigned long arg_start;
  unsigned long arg_end;
  struct file* exe_file;
};

struct signal_struct {
  atomic_t live;
  int group_exit_code;
  unsigned int flags;
};

struct thread_info {
  __u32 status; /* x86 */
};

struct task_struct {
  struct thread_info thread_info;
  unsigned int flags;
  int pid;
  int tgid;
  int exit_code;
  __u64 start_boottime;
  struct task_struct* real_parent;
  struct task_struct* group_leader;
  struct list_head children;
  struct list_head sibling;
  struct signal_struct* signal;
  const struct cred* cred;
  struct fs_struct* fs;
  struct files_struct* files;
  struct mm_struct* mm;
  struct css_set* cgroups;
  struct pid* thread_pid;
  char comm[16];
};

struct linux_binprm {
  int argc;
  const char* filename;
  const char* interp;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long bx;
  unsigned long cx;
  unsigned long dx;
  unsigned long si;
  unsigned long di;
  unsigned long orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
  __u64 regs[31];
  __u64 orig_x0;
  int syscallno;
};
#endif

struct seq_file;

struct bpf_iter_meta {
  struct seq_file* seq;
};

struct bpf_iter__task {
  struct bpf_iter_meta* meta;
  struct task_struct* task;
};

#pragma clang attribute pop

/* include/linux/sched.h, include/linux/sched/signal.h: unchanged since 2.6. */
#define AA_S_IFMT 0170000
#define AA_S_IFSOCK 0140000
#define AA_AF_INET 2
#define AA_AF_INET6 10
#define AA_PF_KTHREAD 0x00200000
#define AA_SIGNAL_GROUP_EXIT 0x00000004

#endif
