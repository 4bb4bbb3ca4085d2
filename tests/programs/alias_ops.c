/* alias_ops ROUTE PREPARE FILE OP…: does each OP to FILE, by its name or through a descriptor.
 *
 * ROUTE: `plain` 64-bit calls; `compat` the same through int 0x80, as a 32-bit program makes them; `old` and
 * `compat-old` the calls that take a name without a folder, where there are any; `uring-plain` and the like
 * (uring.h) requests of io_uring where it has them, and calls else. PREPARE: `-` nothing, `chroot=DIR`, `cd=DIR`,
 * `dir=DIR` (names start from a descriptor of DIR), `unshare` (an own mount namespace), `fd=FILE` (opens FILE first).
 * In FILE the text %d stands for that descriptor's number, %s for OP's name. OP: open read write mmap mprotect
 * ftruncate fchmod chmod truncate chown link=NEW rename=NEW rename_onto=OLD symlink=NEW unlink. Says `OP RESULT` for
 * each. Static and not position independent: addresses fit 32 bits.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>

#include "uring.h"

#define RING_FTRUNCATE 55 /* IORING_OP_FTRUNCATE, Linux 6.9: older headers have no name for it */

static char first[4200], second[4200], bytes[4096];
static int compat, old, uring, folder = AT_FDCWD;

#if defined(__x86_64__)
static long call32(long number, long a, long b, long c, long d, long e) {
  long result;
  register long r8 __asm__("r8") = 0;
  __asm__ volatile("int $0x80"
                   : "=a"(result), "+r"(r8)
                   : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                   : "memory", "r9", "r10", "r11");
  return (int)result;
}
#else
static long call32(long number, long a, long b, long c, long d, long e) {
  (void)number, (void)a, (void)b, (void)c, (void)d, (void)e;
  return -ENOSYS;
}
#endif

static long call(long number64, long number32, long a, long b, long c, long d, long e) {
  if (compat) return call32(number32, a, b, c, d, e);
  long result = syscall(number64, a, b, c, d, e);
  return result < 0 ? -errno : result;
}

static long opened(int flags) {
  if (uring) return ring_request(IORING_OP_OPENAT, folder, first, 0600, 0, (unsigned)flags);
  return call(SYS_openat, 295, folder, (long)first, flags, 0600, 0);
}

static long with_descriptor(const char* op) {
  const long fd = opened(strcmp(op, "read") == 0 ? O_RDONLY : O_RDWR);
  long result = fd;
  if (fd < 0 || strcmp(op, "open") == 0) {
  } else if (uring && strcmp(op, "read") == 0) {
    result = ring_request(IORING_OP_READ, (int)fd, bytes, 64, 0, 0);
  } else if (uring && strcmp(op, "write") == 0) {
    result = ring_request(IORING_OP_WRITE, (int)fd, "secret\n", 7, 0, 0);
  } else if (uring && strcmp(op, "ftruncate") == 0) {
    result = ring_request(RING_FTRUNCATE, (int)fd, NULL, 0, 64, 0);
  } else if (strcmp(op, "read") == 0) {
    result = call(SYS_read, 3, fd, (long)bytes, 64, 0, 0);
  } else if (strcmp(op, "write") == 0) {
    result = call(SYS_write, 4, fd, (long)"secret\n", 7, 0, 0);
  } else if (strcmp(op, "ftruncate") == 0) {
    result = call(SYS_ftruncate, 93, fd, 64, 0, 0, 0);
  } else if (strcmp(op, "fchmod") == 0) {
    result = call(SYS_fchmod, 94, fd, 0600, 0, 0, 0);
  } else { /* mmap, mprotect: compat's mmap would need a 32-bit address space to return to */
    const int late = strcmp(op, "mprotect") == 0;
    void* at = mmap(NULL, 4096, late ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    result = at == MAP_FAILED ? -errno : 0;
    if (result == 0 && late) result = mprotect(at, 4096, PROT_READ | PROT_WRITE) == 0 ? 0 : -errno;
  }
  if (fd >= 0) close(fd);
  return result;
}

/* x86's first calls; other machines never had them. */
static long by_old_name(const char* op) {
#if defined(__x86_64__)
  if (strcmp(op, "chmod") == 0) return call(SYS_chmod, 15, (long)first, 0600, 0, 0, 0);
  if (strcmp(op, "chown") == 0) return call(SYS_chown, 212, (long)first, 0, 0, 0, 0);
  if (strcmp(op, "unlink") == 0) return call(SYS_unlink, 10, (long)first, 0, 0, 0, 0);
  if (strcmp(op, "link") == 0) return call(SYS_link, 9, (long)first, (long)second, 0, 0, 0);
  if (strcmp(op, "rename") == 0) return call(SYS_rename, 38, (long)first, (long)second, 0, 0, 0);
  if (strcmp(op, "rename_onto") == 0) return call(SYS_rename, 38, (long)second, (long)first, 0, 0, 0);
  if (strcmp(op, "symlink") == 0) return call(SYS_symlink, 83, (long)first, (long)second, 0, 0, 0);
#endif
  (void)op;
  return -ENOSYS;
}

static long ring_names(unsigned char opcode, const char* old_name, const char* new_name) {
  return ring_request(opcode, folder, old_name, (unsigned)folder, (unsigned long)new_name, 0);
}

static long by_ring(const char* op) {
  if (strcmp(op, "unlink") == 0) return ring_request(IORING_OP_UNLINKAT, folder, first, 0, 0, 0);
  if (strcmp(op, "link") == 0) return ring_names(IORING_OP_LINKAT, first, second);
  if (strcmp(op, "rename") == 0) return ring_names(IORING_OP_RENAMEAT, first, second);
  if (strcmp(op, "rename_onto") == 0) return ring_names(IORING_OP_RENAMEAT, second, first);
  if (strcmp(op, "symlink") == 0) return ring_request(IORING_OP_SYMLINKAT, folder, first, 0, (unsigned long)second, 0);
  return -ENOSYS;
}

static long by_name(const char* op, const char* argument) {
  strncpy(second, argument, sizeof(second) - 1);
  if (uring) {
    const long result = by_ring(op);
    if (result != -ENOSYS) return result;
  }
  if (old) {
    const long result = by_old_name(op);
    if (result != -ENOSYS) return result;
  }
  if (strcmp(op, "chmod") == 0) return call(SYS_fchmodat, 306, folder, (long)first, 0600, 0, 0);
  if (strcmp(op, "truncate") == 0) return call(SYS_truncate, 92, (long)first, 64, 0, 0, 0);
  if (strcmp(op, "chown") == 0) return call(SYS_fchownat, 298, folder, (long)first, 0, 0, 0);
  if (strcmp(op, "unlink") == 0) return call(SYS_unlinkat, 301, folder, (long)first, 0, 0, 0);
  if (strcmp(op, "link") == 0) return call(SYS_linkat, 303, folder, (long)first, folder, (long)second, 0);
  if (strcmp(op, "rename") == 0) return call(SYS_renameat, 302, folder, (long)first, folder, (long)second, 0);
  if (strcmp(op, "rename_onto") == 0) return call(SYS_renameat, 302, folder, (long)second, folder, (long)first, 0);
  if (strcmp(op, "symlink") == 0) return call(SYS_symlinkat, 304, (long)first, folder, (long)second, 0, 0);
  return -ENOSYS;
}

static int prepare(const char* how) {
  if (strncmp(how, "chroot=", 7) == 0) return chroot(how + 7) == 0 && chdir("/") == 0;
  if (strncmp(how, "cd=", 3) == 0) return chdir(how + 3) == 0;
  if (strncmp(how, "dir=", 4) == 0) return (folder = open(how + 4, O_RDONLY | O_DIRECTORY)) >= 0;
  if (strcmp(how, "unshare") == 0) return unshare(CLONE_NEWNS) == 0;
  return 1;
}

/* FILE for this operation. */
static void name_file(const char* pattern, int fd, const char* op) {
  const char* mark = strchr(pattern, '%');
  const int head = mark ? (int)(mark - pattern) : (int)strlen(pattern);
  int length = snprintf(first, sizeof(first), "%.*s", head, pattern);
  if (!mark) return;
  length += mark[1] == 'd' ? snprintf(first + length, sizeof(first) - (size_t)length, "%d", fd)
                           : snprintf(first + length, sizeof(first) - (size_t)length, "%s", op);
  snprintf(first + length, sizeof(first) - (size_t)length, "%s", mark + 2);
}

int main(int argc, char** argv) {
  int fd = -1;
  if (argc < 5) return 120;
  compat = strncmp(argv[1], "compat", 6) == 0;
  old = strstr(argv[1], "old") != NULL;
  if (!prepare(argv[2])) return 121;
  if (strncmp(argv[2], "fd=", 3) == 0 && (fd = open(argv[2] + 3, O_RDWR)) < 0) return 122;
  uring = strncmp(argv[1], "uring-", 6) == 0;
  if (uring) ring_set_up(argv[1] + 6);
  for (int i = 4; i < argc; i++) {
    char* argument = strchr(argv[i], '=');
    long result;
    if (argument) *argument++ = 0;
    name_file(argv[3], fd, argv[i]);
    result = argument || strcmp(argv[i], "chmod") == 0 || strcmp(argv[i], "truncate") == 0 ||
                     strcmp(argv[i], "chown") == 0 || strcmp(argv[i], "unlink") == 0
                 ? by_name(argv[i], argument ? argument : "")
                 : with_descriptor(argv[i]);
    printf("%s %ld\n", argv[i], result);
    fflush(stdout);
  }
  return 0;
}
