/* The file family where the kernel's own functions can be hooked: security_* names and judges the object, what
 * encloses it tells the result. Whoever called: a system call of any kind, a 32-bit program, io_uring.
 *
 * Comes in: calls of the functions named below, before (fentry or kprobe) and after (fexit or kretprobe). Goes out:
 * file records of the watched ones. What some kernels have under another name, or with other arguments, stands twice,
 * the second with `__` and the difference behind its name; user space loads what fits the kernel
 * (probe/kernel_functions.h).
 */
#ifndef AA_FILE_HOOK
#define AA_FILE_HOOK AA_HOOK_FENTRY
#endif
#include "lib/file_hook.bpf.h"
#include "lib/file_leaf.bpf.h"
#include "lib/file_learn.bpf.h"
#include "lib/file_uring.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline __u64 kernel_name(struct filename* name) {
  return (__u64)BPF_CORE_READ(name, name);
}

static __always_inline int begin_name(__u32 call, int dirfd, __u64 pointer, __u32 value, __u32 in_kernel) {
  struct aa_file_scratch* s = begun(call);
  if (!s) return 0;
  s->args[0] = (__s64)dirfd;
  s->args[1] = pointer;
  s->args[2] = value;
  s->request.in_kernel = in_kernel;
  describe_call(s, call);
  return 0;
}

static __always_inline int begin_two(__u32 call, int dirfd, __u64 pointer, int dirfd2, __u64 pointer2, __u32 flags,
                                     __u32 in_kernel) {
  struct aa_file_scratch* s = begun(call);
  if (!s) return 0;
  s->args[0] = (__s64)dirfd;
  s->args[1] = pointer;
  s->args[2] = (__s64)dirfd2;
  s->args[3] = pointer2;
  s->args[4] = flags;
  s->request.in_kernel = in_kernel;
  describe_call(s, call);
  return 0;
}

/* ---- open ---- */

/* The thread's opening, also when it turned out to create. */
static __always_inline struct aa_file_scratch* opening(__u32* number) {
  struct aa_file_scratch* s = inside(AA_OP_OPEN, number);
  return s ? s : inside(AA_OP_CREATE, number);
}

static __always_inline int begin_open(int dirfd, __u64 pointer, struct open_how* how, __u32 in_kernel) {
  struct aa_file_scratch* s = begun(AA_CALL_OPENAT2);
  if (!s) return 0;
  s->args[0] = (__s64)dirfd;
  s->args[1] = pointer;
  s->request.in_kernel = in_kernel;
  s->record.op = AA_OP_OPEN;
  s->record.open_flags = BPF_CORE_READ(how, flags) & ~(__u64)AA_O_LARGEFILE;
  s->record.flags |= AA_FILE_FLAGS;
  if (s->record.open_flags & AA_O_WITH_MODE) {
    s->record.mode = BPF_CORE_READ(how, mode) & 07777;
    s->record.flags |= AA_FILE_MODE;
  }
  return 0;
}

AA_ENTRY(aa_open_in, do_sys_openat2, int dirfd, const char* name, struct open_how* how) {
  return begin_open(dirfd, (__u64)name, how, 0);
}

AA_END(aa_open_out, do_sys_openat2, int, (int dirfd, const char* name, struct open_how* how))

AA_ENTRY(aa_open_uring_in, io_openat2, struct io_kiocb* req) {
  struct io_open* open = (struct io_open*)plain(req);
  return begin_open(BPF_CORE_READ(open, dfd), kernel_name(AA_URING_NAME_OF(io_open, open, filename)), &open->how, 1);
}

/* What it returns says how the request goes on: for now not at all (EAGAIN), or with the result opening had. */
AA_RETURN(aa_open_uring_out, io_openat2, int, (struct io_kiocb * req, unsigned int issue_flags)) {
  __u32 number = 0;
  struct aa_file_scratch* s = opening(&number);
  if (!s) return marked(AA_OP_OPEN) ? operation_end(result) : 0;
  if (result == AA_EAGAIN) return operation_end(AA_EAGAIN);
  return operation_end(s->operation.error ? s->operation.error : s->operation.fd ? (long)s->operation.fd - 1 : 0);
}

AA_ENTRY(aa_open_handle_in, do_handle_open, int mount, void* handle, int flags) {
  struct aa_file_scratch* s = begun(AA_CALL_OPEN_HANDLE);
  if (!s) return 0;
  s->record.op = AA_OP_OPEN;
  s->record.open_flags = flags;
  s->record.flags |= AA_FILE_FLAGS;
  return 0;
}

AA_END(aa_open_handle_out, do_handle_open, int, (int mount, void* handle, int flags))

static __always_inline void see_opened(struct aa_file_scratch* s, __u32 number, struct file* file) {
  BPF_CORE_READ_INTO(&s->path, file, f_path);
  put_inode(s, BPF_CORE_READ(file, f_inode));
  if (BPF_CORE_READ(file, f_mode) & AA_FMODE_CREATED) s->record.op = AA_OP_CREATE;
  see_path(number, AA_AT);
}

static __always_inline int see_early(struct file* file) {
  __u32 number = 0;
  struct aa_file_scratch* s = inside_or_early(AA_OP_OPEN, &number);
  if (!s) return 0;
  s->record.open_flags = BPF_CORE_READ(file, f_flags);
  s->record.flags |= AA_FILE_FLAGS;
  see_opened(s, number, file);
  return end_seen(number);
}

/* On overlayfs it comes twice: for the file, and for the layer's, which rules may name too. */
AA_ENTRY(aa_file_open, security_file_open, struct file* file) {
  __u32 number = 0;
  struct aa_file_scratch* s = opening(&number);
  if (!s) return see_early((struct file*)plain(file));
  if (!s->operation.seen) {
    see_opened(s, number, (struct file*)plain(file));
  } else if (s->more.judge) {
    match_self(number, plain(BPF_CORE_READ(file, f_path.dentry)), 0);
  }
  return 0;
}

static __always_inline int on_opened(__u64 name, __u64 unused, __u64 unused2, long file) {
  __u32 number = 0;
  struct aa_file_scratch* s = opening(&number);
  long result = plain((void*)file);
  int failed = result < 0 && result >= -4095;
  if (!s) return 0;
  s->operation.error = failed ? (int)result : 0;
  s->args[1] = kernel_name((struct filename*)name);
  s->request.in_kernel = 1;
  if (failed && !s->operation.seen) {
    see_names(number);
    return 0;
  }
  if (!s->operation.seen) see_opened(s, number, (struct file*)result); /* O_PATH: nobody was asked */
  if (s->operation.seen == AA_SEEN_OBJECT) see_request(number, AA_AT);
  return 0;
}

AA_AROUND(aa_file_opened_in, aa_file_opened, do_filp_open, long, (int dirfd, struct filename* name, void* how), (),
          on_opened, plain(name), 0, 0)
AA_AROUND(aa_file_opened_in__do_file_open, aa_file_opened__do_file_open, do_file_open, long,
          (int dirfd, struct filename* name, void* how), (), on_opened, plain(name), 0, 0)

AA_ENTRY(aa_fd_install, fd_install, unsigned int fd, struct file* file) {
  __u32 number = 0;
  struct aa_file_scratch* s = opening(&number);
  if (s) s->operation.fd = fd + 1;
  return 0;
}

/* ---- names ---- */

AA_ENTRY(aa_unlink_in, do_unlinkat, int dirfd, struct filename* name) {
  return begin_name(AA_CALL_UNLINKAT, dirfd, kernel_name(name), 0, 1);
}
AA_END(aa_unlink_out, do_unlinkat, int, (int dirfd, struct filename* name))
AA_ENTRY(aa_unlink_in__filename_unlinkat, filename_unlinkat, int dirfd, struct filename* name) {
  return begin_name(AA_CALL_UNLINKAT, dirfd, kernel_name(name), 0, 1);
}
AA_END(aa_unlink_out__filename_unlinkat, filename_unlinkat, int, (int dirfd, struct filename* name))

AA_ENTRY(aa_rmdir_in, do_rmdir, int dirfd, struct filename* name) {
  return begin_name(AA_CALL_UNLINKAT, dirfd, kernel_name(name), AA_AT_REMOVEDIR, 1);
}
AA_END(aa_rmdir_out, do_rmdir, int, (int dirfd, struct filename* name))
AA_ENTRY(aa_rmdir_in__filename_rmdir, filename_rmdir, int dirfd, struct filename* name) {
  return begin_name(AA_CALL_UNLINKAT, dirfd, kernel_name(name), AA_AT_REMOVEDIR, 1);
}
AA_END(aa_rmdir_out__filename_rmdir, filename_rmdir, int, (int dirfd, struct filename* name))

AA_ENTRY(aa_mkdir_in, do_mkdirat, int dirfd, struct filename* name, unsigned int mode) {
  return begin_name(AA_CALL_MKDIRAT, dirfd, kernel_name(name), mode, 1);
}
AA_END(aa_mkdir_out, do_mkdirat, int, (int dirfd, struct filename* name, unsigned int mode))
AA_ENTRY(aa_mkdir_in__filename_mkdirat, filename_mkdirat, int dirfd, struct filename* name, unsigned int mode) {
  return begin_name(AA_CALL_MKDIRAT, dirfd, kernel_name(name), mode, 1);
}
AA_END(aa_mkdir_out__filename_mkdirat, filename_mkdirat, int, (int dirfd, struct filename* name, unsigned int mode))

AA_ENTRY(aa_mknod_in, do_mknodat, int dirfd, struct filename* name, unsigned int mode) {
  return begin_name(AA_CALL_MKNODAT, dirfd, kernel_name(name), mode, 1);
}
AA_END(aa_mknod_out, do_mknodat, int, (int dirfd, struct filename* name, unsigned int mode, unsigned int dev))
AA_ENTRY(aa_mknod_in__filename_mknodat, filename_mknodat, int dirfd, struct filename* name, unsigned int mode) {
  return begin_name(AA_CALL_MKNODAT, dirfd, kernel_name(name), mode, 1);
}
AA_END(aa_mknod_out__filename_mknodat, filename_mknodat, int,
       (int dirfd, struct filename* name, unsigned int mode, unsigned int dev))

AA_ENTRY(aa_rename_in, do_renameat2, int dirfd, struct filename* from, int dirfd2, struct filename* to,
         unsigned int flags) {
  return begin_two(AA_CALL_RENAMEAT2, dirfd, kernel_name(from), dirfd2, kernel_name(to), flags, 1);
}
AA_END(aa_rename_out, do_renameat2, int,
       (int dirfd, struct filename* from, int dirfd2, struct filename* to, unsigned int flags))
AA_ENTRY(aa_rename_in__filename_renameat2, filename_renameat2, int dirfd, struct filename* from, int dirfd2,
         struct filename* to, unsigned int flags) {
  return begin_two(AA_CALL_RENAMEAT2, dirfd, kernel_name(from), dirfd2, kernel_name(to), flags, 1);
}
AA_END(aa_rename_out__filename_renameat2, filename_renameat2, int,
       (int dirfd, struct filename* from, int dirfd2, struct filename* to, unsigned int flags))

AA_ENTRY(aa_link_in, do_linkat, int dirfd, struct filename* from, int dirfd2, struct filename* to) {
  return begin_two(AA_CALL_LINKAT, dirfd, kernel_name(from), dirfd2, kernel_name(to), 0, 1);
}
AA_END(aa_link_out, do_linkat, int, (int dirfd, struct filename* from, int dirfd2, struct filename* to, int flags))
AA_ENTRY(aa_link_in__filename_linkat, filename_linkat, int dirfd, struct filename* from, int dirfd2,
         struct filename* to) {
  return begin_two(AA_CALL_LINKAT, dirfd, kernel_name(from), dirfd2, kernel_name(to), 0, 1);
}
AA_END(aa_link_out__filename_linkat, filename_linkat, int,
       (int dirfd, struct filename* from, int dirfd2, struct filename* to, int flags))

static __always_inline int begin_symlink(__u64 text, int dirfd, __u64 name, __u32 in_kernel) {
  struct aa_file_scratch* s = begun(AA_CALL_SYMLINKAT);
  if (!s) return 0;
  s->args[0] = text;
  s->args[1] = (__s64)dirfd;
  s->args[2] = name;
  s->request.in_kernel = in_kernel;
  describe_call(s, AA_CALL_SYMLINKAT);
  return 0;
}

AA_ENTRY(aa_symlink_in, do_symlinkat, struct filename* text, int dirfd, struct filename* name) {
  return begin_symlink(kernel_name(text), dirfd, kernel_name(name), 1);
}
AA_END(aa_symlink_out, do_symlinkat, int, (struct filename * text, int dirfd, struct filename* name))
AA_ENTRY(aa_symlink_in__filename_symlinkat, filename_symlinkat, struct filename* text, int dirfd,
         struct filename* name) {
  return begin_symlink(kernel_name(text), dirfd, kernel_name(name), 1);
}
AA_END(aa_symlink_out__filename_symlinkat, filename_symlinkat, int,
       (struct filename * text, int dirfd, struct filename* name))

AA_ENTRY(aa_chmod_in, do_fchmodat, int dirfd, const char* name, unsigned short mode) {
  return begin_name(AA_CALL_FCHMODAT, dirfd, (__u64)name, mode, 0);
}
/* Until 6.5 it has three arguments. */
AA_END(aa_chmod_out__3, do_fchmodat, int, (int dirfd, const char* name, unsigned short mode))
AA_END(aa_chmod_out, do_fchmodat, int, (int dirfd, const char* name, unsigned short mode, unsigned int flags))

AA_ENTRY(aa_chown_in, do_fchownat, int dirfd, const char* name) {
  return begin_name(AA_CALL_FCHOWNAT, dirfd, (__u64)name, 0, 0);
}
AA_END(aa_chown_out, do_fchownat, int, (int dirfd, const char* name, unsigned int user, unsigned int group, int flag))

/* At the system call itself: what is below it is part of it on some kernels, and cannot be hooked. Where it can, and
 * is, the operation begins once more inside, and ends there. */
static __always_inline int begin_call(__u32 call, struct pt_regs* regs) {
  struct aa_file_scratch* s = begun(call);
  if (!s) return 0;
  read_arguments(s, (struct pt_regs*)plain(regs), (struct task_struct*)bpf_get_current_task());
  describe_call(s, call);
  return 0;
}

#define AA_SYSCALL(program, variant, function, call)                \
  AA_ENTRY(program##_in##variant, function, struct pt_regs* regs) { \
    return begin_call(call, regs);                                  \
  }                                                                 \
  AA_END(program##_out##variant, function, long, (struct pt_regs * regs))

AA_SYSCALL(aa_chmod64, , __x64_sys_chmod, AA_CALL_CHMOD)
AA_SYSCALL(aa_fchmodat64, , __x64_sys_fchmodat, AA_CALL_FCHMODAT)
AA_SYSCALL(aa_fchmodat64, __arm64_sys_fchmodat, __arm64_sys_fchmodat, AA_CALL_FCHMODAT)
AA_SYSCALL(aa_fchmodat32, , __ia32_sys_fchmodat, AA_CALL_FCHMODAT)
AA_SYSCALL(aa_chmod32, , __ia32_sys_chmod, AA_CALL_CHMOD)

AA_SYSCALL(aa_truncate, , __x64_sys_truncate, AA_CALL_TRUNCATE)
AA_SYSCALL(aa_truncate, __arm64_sys_truncate, __arm64_sys_truncate, AA_CALL_TRUNCATE)
AA_SYSCALL(aa_truncate32, , __ia32_compat_sys_truncate, AA_CALL_TRUNCATE)
AA_SYSCALL(aa_ltrunc32, , __ia32_sys_ia32_truncate64, AA_CALL_TRUNCATE) /* with a length of 64 bits */

/* Before 5.15 these are given the caller's pointer, not the kernel's copy. */

AA_ENTRY(aa_mkdir_in__raw, do_mkdirat, int dirfd, const char* name, unsigned int mode) {
  return begin_name(AA_CALL_MKDIRAT, dirfd, (__u64)name, mode, 0);
}
AA_ENTRY(aa_mknod_in__raw, do_mknodat, int dirfd, const char* name, unsigned int mode) {
  return begin_name(AA_CALL_MKNODAT, dirfd, (__u64)name, mode, 0);
}
AA_ENTRY(aa_link_in__raw, do_linkat, int dirfd, const char* from, int dirfd2, const char* to) {
  return begin_two(AA_CALL_LINKAT, dirfd, (__u64)from, dirfd2, (__u64)to, 0, 0);
}
AA_ENTRY(aa_symlink_in__raw, do_symlinkat, const char* text, int dirfd, const char* name) {
  return begin_symlink((__u64)text, dirfd, (__u64)name, 0);
}

/* ---- the objects of names ---- */

AA_ENTRY(aa_path_unlink, security_path_unlink, const struct path* folder, struct dentry* dentry) {
  __u32 number = 0;
  return see_entry(AA_OP_UNLINK, folder, dentry, 0, &number) ? end_seen(number) : 0;
}

AA_ENTRY(aa_path_rmdir, security_path_rmdir, const struct path* folder, struct dentry* dentry) {
  __u32 number = 0;
  return see_entry(AA_OP_RMDIR, folder, dentry, 0, &number) ? end_seen(number) : 0;
}

AA_ENTRY(aa_path_mkdir, security_path_mkdir, const struct path* folder, struct dentry* dentry) {
  __u32 number = 0;
  return see_entry(AA_OP_MKDIR, folder, dentry, 0, &number) ? end_seen(number) : 0;
}

AA_ENTRY(aa_path_mknod, security_path_mknod, const struct path* folder, struct dentry* dentry) {
  __u32 number = 0;
  return see_entry(AA_OP_MKNOD, folder, dentry, 0, &number) ? end_seen(number) : 0;
}

#define AA_RENAME_EXCHANGE 2u

AA_ENTRY(aa_path_rename, security_path_rename, const struct path* folder, struct dentry* dentry,
         const struct path* folder2, struct dentry* dentry2, unsigned int flags) {
  __u32 number = 0;
  struct inode* back = flags & AA_RENAME_EXCHANGE ? BPF_CORE_READ(dentry2, d_inode) : 0;
  struct aa_file_scratch* s = see_entry(AA_OP_RENAME, folder, dentry, back, &number);
  return s ? see_second(s, number, folder2, dentry2, BPF_CORE_READ(dentry, d_inode)) : 0;
}

AA_ENTRY(aa_path_link, security_path_link, struct dentry* old, const struct path* folder, struct dentry* dentry) {
  __u32 number = 0;
  struct aa_file_scratch* s = see_entry(AA_OP_LINK, folder, old, 0, &number); /* a link stays within its mount */
  return s ? see_second(s, number, folder, dentry, BPF_CORE_READ(old, d_inode)) : 0;
}

/* The first name of a symlink is text: nothing is looked up. */
AA_ENTRY(aa_path_symlink, security_path_symlink, const struct path* folder, struct dentry* dentry) {
  __u32 number = 0;
  struct aa_file_scratch* s = inside_or_early(AA_OP_SYMLINK, &number);
  if (!s) return 0;
  forget_seen(s);
  if (!s->operation.is_early) {
    request_name(s, s->args[AA_ARG_CWD], s->args[0], 0, AA_AT);
    s->operation.text = put_name(number, bpf_get_current_task());
  }
  return see_second(s, number, folder, dentry, 0);
}

AA_ENTRY(aa_path_chmod, security_path_chmod, const struct path* path) {
  return see_object(AA_OP_CHMOD, path);
}

/* Not security_path_chown: 5.10 cannot hook what takes a structure by value. */
AA_ENTRY(aa_path_chown, chown_common, const struct path* path) {
  return see_object(AA_OP_CHOWN, path);
}

AA_ENTRY(aa_path_truncate, security_path_truncate, const struct path* path) {
  return see_object(AA_OP_TRUNCATE, path);
}

/* ---- open files ---- */

static __always_inline int on_read(__u64 file, __u64 unused, __u64 unused2, long result) {
  return on_bytes(bpf_get_current_task(), file, AA_OP_READ, result);
}
static __always_inline int on_write(__u64 file, __u64 unused, __u64 unused2, long result) {
  return on_bytes(bpf_get_current_task(), file, AA_OP_WRITE, result);
}
#define AA_MNT_NS_INTERNAL (-22)    /* of a mount in nobody's tree */
#define AA_SB_KERNMOUNT (1ul << 22) /* of the kernel's own mounts: memfds are there */

/* A file that an overlay has opened in one of its layers: by the overlay's name, or in a mount of its own. */
static __always_inline int is_layers(struct file* file) {
  struct mount* mount = mount_of(BPF_CORE_READ(file, f_path.mnt));
  if (BPF_CORE_READ(file, f_path.dentry, d_inode) != BPF_CORE_READ(file, f_inode)) return 1;
  return (__s64)BPF_CORE_READ(mount, mnt_ns) == AA_MNT_NS_INTERNAL &&
         !(BPF_CORE_READ(mount, mnt.mnt_sb, s_flags) & AA_SB_KERNMOUNT);
}

static __always_inline int on_copy(__u64 from, __u64 to, __u64 unused, long result) {
  on_bytes(bpf_get_current_task(), from, AA_OP_READ, result);
  return on_bytes(bpf_get_current_task(), to, AA_OP_WRITE, result);
}

AA_AROUND(aa_read_in, aa_read, vfs_read, long, (struct file * file, void* buffer, unsigned long count, void* pos), (),
          on_read, plain(file), 0, 0)
AA_AROUND(aa_write_in, aa_write, vfs_write, long, (struct file * file, void* buffer, unsigned long count, void* pos),
          (), on_write, plain(file), 0, 0)
AA_AROUND(aa_readv_in, aa_readv, vfs_readv, long,
          (struct file * file, void* vector, unsigned long count, void* pos, int flags), (), on_read, plain(file), 0, 0)
AA_AROUND(aa_writev_in, aa_writev, vfs_writev, long,
          (struct file * file, void* vector, unsigned long count, void* pos, int flags), (), on_write, plain(file), 0,
          0)
AA_AROUND_OUTER(aa_copy_in, aa_copy, vfs_copy_file_range, long,
                (struct file * from, long pos, struct file* to, long pos2, unsigned long count), (, unsigned int flags),
                is_layers((struct file*)plain(from)), on_copy, plain(from), plain(to), 0)
AA_AROUND(aa_splice_in, aa_splice, do_splice, long,
          (struct file * from, void* pos, struct file* to, void* pos2, unsigned long count), (, unsigned int flags),
          on_copy, plain(from), plain(to), 0)

/* Functions that are given descriptors, and no one place in them that sees what those stand for. */
static __noinline int keep_files(__u64 place, __u32 fd, __u32 fd2) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  if (!watched_now(task)) return 0;
  return keep(place, (__u64)file_of(task, fd), (__u64)file_of(task, fd2), (__u64)fd2 << 32 | fd);
}

/* The file that stood behind the descriptor when the call began. When another one does at its end, or none, nobody
 * knows which of them the call had: 0, and a call that succeeded is counted. */
static __always_inline __u64 kept_file(__u64 file, __u32 fd, long result) {
  if ((__u64)file_of((struct task_struct*)bpf_get_current_task(), fd) == file) return file;
  if (result >= 0) ledger_count(AA_FAMILY_FILE, AA_CAUSE_UNSEEN, bpf_ktime_get_boot_ns());
  return 0;
}

enum { aa_sent_fds_place = __COUNTER__, aa_truncated_fd_place = __COUNTER__ };

AA_ENTRY(aa_sendfile_in, do_sendfile, int to, int from) {
  return keep_files(aa_sent_fds_place, from, to);
}

AA_RETURN(aa_sendfile, do_sendfile, long, (int to, int from, void* pos, unsigned long count, long max)) {
  struct aa_kept call;
  if (!kept(aa_sent_fds_place, &call)) return 0;
  return on_copy(kept_file(call.value[0], call.value[2], result), kept_file(call.value[1], call.value[2] >> 32, result),
                 0, result);
}

/* io_uring reads and writes by no function above. */
SEC("raw_tp/io_uring_complete")
int BPF_PROG(aa_uring_done, void* ring, struct io_kiocb* req) {
  struct task_struct* task;
  __u32 moves;
  if (!req || !bpf_core_field_exists(req->cqe)) return 0; /* another one's completion, or 5.10's */
  moves = uring_moves(BPF_CORE_READ(req, opcode));
  if (!moves) return 0;
  task = uring_owner(req);
  if (watched_now(task)) uring_ended((__u64)req);
  return on_bytes((__u64)task, (__u64)BPF_CORE_READ(req, file), (moves - 1) | AA_LEAF_URING,
                  BPF_CORE_READ(req, cqe.res));
}

/* What completes without a word to anybody, or many times, is counted when it is asked for. */
static __always_inline int on_uring_asked(struct io_kiocb* req) {
  __u32 opcode = BPF_CORE_READ(req, opcode);
  struct task_struct* task = uring_owner(req);
  if (!uring_moves(opcode) && opcode != AA_URING_READ_MULTISHOT) return 0;
  if (!watched_now(task)) return 0;
  if (is_quiet(req) || opcode == AA_URING_READ_MULTISHOT)
    ledger_count(AA_FAMILY_FILE, AA_CAUSE_UNSEEN, bpf_ktime_get_boot_ns());
  else
    uring_opened((__u64)req, BPF_CORE_READ(task, tgid));
  return 0;
}

SEC("raw_tp/io_uring_submit_req")
int BPF_PROG(aa_uring_asked, struct io_kiocb* req) {
  return on_uring_asked(req);
}

/* Its name from 6.0 on, and of something else before. */
SEC("raw_tp/io_uring_submit_sqe")
int BPF_PROG(aa_uring_asked__sqe, struct io_kiocb* req) {
  return bpf_core_field_exists(req->cqe) ? on_uring_asked(req) : 0;
}

/* 5.10 does not say whose a completion is. What was done at once ends in the one function, what was queued or failed in
 * the other; newer kernels give them other arguments. */
static __always_inline int on_uring_moved(struct io_kiocb* req, long result) {
  __u32 moves = uring_moves(BPF_CORE_READ(req, opcode));
  struct io_async_rw* retried;
  if (!moves) return 0;
  retried = BPF_CORE_READ(req, async_data);
  if (result >= 0 && retried) result += BPF_CORE_READ(retried, bytes_done); /* before it had to wait */
  return on_bytes((__u64)uring_owner(req), (__u64)BPF_CORE_READ(req, file), (moves - 1) | AA_LEAF_URING, result);
}
AA_ENTRY(aa_uring_moved__of_kiocb, kiocb_done, void* req, long result) {
  return result < 0 ? 0 : on_uring_moved((struct io_kiocb*)plain(req), result);
}
AA_ENTRY(aa_uring_late__3, io_complete_rw, void* req, long result) {
  return on_uring_moved((struct io_kiocb*)plain(req), result);
}

#define AA_MAP_ANONYMOUS 0x20
#define AA_PROT_WRITE 2

static __always_inline int on_mapped(__u64 file, __u64 protection, __u64 flags, long result) {
  int failed = result < 0 && result >= -4095;
  if (!file || flags & AA_MAP_ANONYMOUS) return 0;
  if (in_exec((struct task_struct*)bpf_get_current_task())) return 0; /* the kernel maps the program it starts */
  return on_leaf(file, AA_OP_MMAP | AA_LEAF_FLAGS, protection, failed ? result : 0);
}
AA_AROUND(aa_mmap_in, aa_mmap, vm_mmap_pgoff, long,
          (struct file * file, unsigned long address, unsigned long length, unsigned long protection,
           unsigned long flags),
          (, unsigned long offset), on_mapped, plain(file), protection, flags)

/* Only what makes a file's pages writable: everything else was told by its mmap. */
static __always_inline int on_protected(__u64 area, __u64 protection, __u64 unused, long result) {
  if (!(protection & AA_PROT_WRITE)) return 0;
  return on_leaf((__u64)BPF_CORE_READ((struct vm_area_struct*)area, vm_file), AA_OP_MPROTECT | AA_LEAF_FLAGS,
                 protection, result);
}
AA_AROUND(aa_mprotect_in, aa_mprotect, security_file_mprotect, int,
          (struct vm_area_struct * area, unsigned long wanted, unsigned long protection), (), on_protected, plain(area),
          protection, 0)

/* By descriptor: by name the operation encloses it. */
static __always_inline int on_chmod(__u64 path, __u64 mode, __u64 unused, long result) {
  if (is_inside(AA_OP_CHMOD)) return 0;
  return on_leaf(path, AA_OP_CHMOD | AA_LEAF_PATH | AA_LEAF_MODE, mode, result);
}
static __always_inline int on_chown(__u64 path, __u64 unused, __u64 unused2, long result) {
  if (is_inside(AA_OP_CHOWN)) return 0;
  return on_leaf(path, AA_OP_CHOWN | AA_LEAF_PATH, 0, result);
}
AA_AROUND(aa_fchmod_in, aa_fchmod, chmod_common, int, (const struct path* path, unsigned short mode), (), on_chmod,
          plain(path), mode, 0)
AA_AROUND(aa_fchown_in, aa_fchown, chown_common, int, (const struct path* path, unsigned int user, unsigned int group),
          (), on_chown, plain(path), 0, 0)

static __always_inline int on_truncated(__u64 file, __u64 unused, __u64 unused2, long result) {
  return on_leaf(file, AA_OP_TRUNCATE, 0, result);
}
AA_AROUND(aa_ftruncate_in, aa_ftruncate, do_ftruncate, int, (struct file * file, long length, int small), (),
          on_truncated, plain(file), 0, 0)
/* Before 6.8 it is given the descriptor. */
AA_ENTRY(aa_ftruncate_in__do_sys_ftruncate, do_sys_ftruncate, unsigned int fd) {
  return keep_files(aa_truncated_fd_place, fd, fd);
}

AA_RETURN(aa_ftruncate__do_sys_ftruncate, do_sys_ftruncate, int, (unsigned int fd, long length, int small)) {
  struct aa_kept call;
  if (!kept(aa_truncated_fd_place, &call)) return 0;
  return on_truncated(kept_file(call.value[0], call.value[2], result), 0, 0, result);
}

AA_ENTRY(aa_close, filp_flush, struct file* file) {
  return on_close(plain(file));
}
/* Until 6.11 close(2) came this way. */
AA_ENTRY(aa_close__filp_close, filp_close, struct file* file) {
  return on_close(plain(file));
}
