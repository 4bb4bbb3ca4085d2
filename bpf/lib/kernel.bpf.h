/* The kernel's structures, as far as we use them. CO-RE relocates every access; nothing here is a layout.
 *
 * Source of each field: the BTF of 5.10, 6.1, 6.12, 6.18 and 7.2. No vmlinux.h: this page is the list of what we depend
 * on.
 */
#ifndef AA_KERNEL_BPF_H
#define AA_KERNEL_BPF_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#define __VMLINUX_H__ /* registers by the kernel's names for them, as below */
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

struct cgroup_root {
  int hierarchy_id; /* 0: version 2's */
};

struct cgroup_subsys_state {
  struct cgroup_subsys_state* parent;
};

struct cgroup {
  struct cgroup_subsys_state self;
  struct kernfs_node* kn;
  struct cgroup_root* root;
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

struct super_block {
  unsigned long s_flags;
  unsigned long s_magic;
  __u32 s_dev;
};

struct inode {
  __u16 i_mode;
  struct super_block* i_sb;
  unsigned long i_ino;
  __u32 i_generation;
};

struct dentry {
  struct hlist_bl_node d_hash;
  struct dentry* d_parent;
  struct qstr d_name;
  struct inode* d_inode;
  struct super_block* d_sb;
};

struct ns_common {
  unsigned int inum;
};

struct mnt_namespace {
  struct ns_common ns;
};

struct vfsmount {
  struct dentry* mnt_root;
  struct super_block* mnt_sb;
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

typedef struct {
  long counter;
} atomic_long_t;

typedef struct {
  atomic_long_t refcnt;
} file_ref_t;

struct file {
  struct path f_path;
  struct inode* f_inode;
  unsigned int f_flags;
  unsigned int f_mode;
  void* private_data;
  file_ref_t f_ref; /* 6.13 and later */
};

/* What an overlay maps: the file below it, which keeps the path that was opened apart (6.7 and later). */
struct backing_file {
  struct path user_path;
};
#define AA_FMODE_BACKING (3u << 24) /* one of the two: the bit moved in 6.14, and in 6.12's later releases too */

struct file___counted {
  atomic_long_t f_count; /* before */
};

struct fdtable {
  unsigned int max_fds;
  struct file** fd;
};

struct files_struct {
  struct fdtable* fdt;
};

struct nsproxy {
  struct mnt_namespace* mnt_ns;
};

struct rb_node {
  struct rb_node* rb_right;
  struct rb_node* rb_left;
};

struct rb_root {
  struct rb_node* rb_node;
};

struct vm_area_struct {
  unsigned long vm_start;
  unsigned long vm_end;
  struct rb_node vm_rb; /* before 6.1 */
  struct file* vm_file;
};

struct in6_addr {
  __u8 bytes[16]; /* a union there; only its address is taken */
};

struct sock_common {
  unsigned short skc_family;
  __u32 skc_daddr;
  __u16 skc_dport;
  struct in6_addr skc_v6_daddr;
};

struct sock {
  struct sock_common __sk_common;
  __u16 sk_type;
};

struct socket {
  struct sock* sk;
};

struct seqcount {
  __u32 sequence;
};

struct fs_struct {
  struct seqcount seq; /* begins so, whatever it is: goes up whenever the root or the working directory is changed */
  struct path root;
  struct path pwd;
};

struct mm_struct {
  struct rb_root mm_rb; /* before 6.1 */
  unsigned long arg_start;
  unsigned long arg_end;
  struct file* exe_file;
};

typedef struct {
  unsigned long sig[1];
} sigset_t;

struct sigpending {
  sigset_t signal;
};

struct signal_struct {
  atomic_t live;
  struct sigpending shared_pending;
  int group_exit_code;
  int group_stop_count;
  unsigned int flags;
};

struct thread_info {
  __u32 status; /* x86 */
};

struct seccomp {
  int mode;
};

struct task_struct {
  struct thread_info thread_info;
  struct seccomp seccomp;
  unsigned int flags;
  unsigned int ptrace;
  int pid;
  int tgid;
  int exit_code;
  __u64 start_boottime;
  __u64 self_exec_id;
  struct task_struct* real_parent;
  struct task_struct* group_leader;
  struct list_head children;
  struct list_head sibling;
  struct signal_struct* signal;
  const struct cred* cred;
  struct fs_struct* fs;
  struct files_struct* files;
  struct nsproxy* nsproxy;
  struct mm_struct* mm;
  struct css_set* cgroups;
  struct pid* thread_pid;
  void* stack;
  char comm[16];
};

struct linux_binprm {
  int argc;
  const char* filename;
  const char* interp;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long bp;
  unsigned long bx;
  unsigned long r10;
  unsigned long r9;
  unsigned long r8;
  unsigned long ax;
  unsigned long cx;
  unsigned long dx;
  unsigned long si;
  unsigned long di;
  unsigned long orig_ax;
  unsigned long sp;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
  __u64 regs[31];
  __u64 sp;
  __u64 orig_x0;
  int syscallno;
};
struct user_pt_regs {
  __u64 regs[31];
};
#endif

/* io_uring: 6.18 and 7.2 keep the owner in tctx, before that it is req->task. */
struct filename {
  const char* name;
};

struct io_uring_task {
  struct task_struct* task;
};

struct io_cqe {
  __s32 res;
};

struct io_async_rw {
  __u64 bytes_done;
};

struct io_kiocb {
  struct file* file;
  struct io_async_rw* async_data; /* of a read or write */
  __u8 opcode;
  __u64 flags; /* four bytes before 6.10: its low bits are those of the request's own flags */
  struct io_cqe cqe;
  struct io_uring_task* tctx;
};

struct io_kiocb___owned {
  struct task_struct* task;
};

struct open_how {
  __u64 flags;
  __u64 mode;
};

struct io_open {
  int dfd;
  __u32 file_slot; /* not 0: a direct descriptor, known to the ring alone */
  struct filename* filename;
  struct open_how how;
};

/* 7.2: names wait in a wrapper until the request runs. */
struct delayed_filename {
  struct filename* __incomplete_filename;
};
struct io_open___delayed {
  struct delayed_filename filename;
};
struct io_unlink___delayed {
  struct delayed_filename filename;
};
struct io_mkdir___delayed {
  struct delayed_filename filename;
};
struct io_rename___delayed {
  struct delayed_filename oldpath;
  struct delayed_filename newpath;
};
struct io_link___delayed {
  struct delayed_filename oldpath;
  struct delayed_filename newpath;
};

struct io_unlink {
  int dfd;
  int flags;
  struct filename* filename;
};

struct io_rename {
  int old_dfd;
  int new_dfd;
  struct filename* oldpath;
  struct filename* newpath;
  int flags;
};

struct io_mkdir {
  int dfd;
  __u16 mode;
  struct filename* filename;
};

struct io_link {
  int old_dfd;
  int new_dfd;
  struct filename* oldpath;
  struct filename* newpath;
};

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
#define AA_PF_IO_WORKER 0x10 /* since 5.12 */
#define AA_S_IFMT 0170000
#define AA_S_IFIFO 0010000
#define AA_S_IFDIR 0040000
#define AA_S_IFSOCK 0140000
#define AA_AF_INET 2
#define AA_AF_INET6 10
#define AA_PF_KTHREAD 0x00200000
#define AA_SIGNAL_STOP_STOPPED 0x00000001
#define AA_SIGNAL_GROUP_EXIT 0x00000004
#define AA_SIGSTOP 19

/* include/linux/fs.h */
#define AA_FMODE_EXEC 0x20
#define AA_O_WITH_MODE 020000100 /* O_CREAT, __O_TMPFILE */
#define AA_FMODE_CREATED 0x100000

/* In macros that make programs: arguments in parentheses, without these. */
#define AA_LIST(...) __VA_ARGS__

/* bpf_find_vma came with 5.17. Its callback is code that an older kernel cannot even skip: an object that has one, or
 * that an older kernel needs otherwise, is built twice; which of the two is loaded is found by trying. */
#ifdef AA_BEFORE_5_17
#define AA_SINCE_5_17 0
#else
#define AA_SINCE_5_17 1
#endif

#endif
