/* call_variants ROUTE FOLDER CALL…: does each system call to FOLDER/CALL; what takes a second name, or moves bytes from
 * file to file, gets FOLDER/CALL.to. ROUTE: `plain` 64-bit calls; `compat` through int 0x80, as a 32-bit program makes
 * them. Says `CALL RESULT`, -38 where there is no such call. What a call needs open is opened first, in the same way
 * each time. Static and not position independent: addresses fit 32 bits.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "say.h"

#define ABSENT (-1)
#define EXCHANGE 2 /* RENAME_EXCHANGE */
#define MOVED 64   /* bytes */

enum shape {
  NAME,      /* (name, value…) */
  AT,        /* (folder, name, value…) */
  EMPTY,     /* (descriptor, "", …, AT_EMPTY_PATH) */
  HOW,       /* openat2 */
  HANDLE,    /* open_by_handle_at */
  NAMES,     /* (name, other) */
  NAMES_AT,  /* (folder, name, folder, other, value) */
  TEXT_AT,   /* (name, folder, other) */
  OPENED,    /* (descriptor, value…) */
  ROOM,      /* (descriptor, 0, 0, length) */
  BYTES,     /* (descriptor, buffer, length, place) */
  VECTOR,    /* (descriptor, vector, count, place) */
  SEND,      /* (other, descriptor, 0, length) */
  COPY,      /* (descriptor, 0, other, 0, length, 0) */
  INTO_PIPE, /* the same, into a pipe */
  MAP,
  PROTECT
};

struct call {
  const char* name;
  long number64, number32;
  enum shape shape;
  long value[2];
};

#if defined(__x86_64__)
static const struct call calls[] = {
    {"open", SYS_open, 5, NAME, {O_RDONLY, 0}},
    {"creat", SYS_creat, 8, NAME, {0600, 0}},
    {"openat", SYS_openat, 295, AT, {O_RDONLY, 0}},
    {"openat2", 437, 437, HOW, {0, 0}},
    {"open_by_handle_at", SYS_open_by_handle_at, 342, HANDLE, {0, 0}},
    {"read", SYS_read, 3, BYTES, {0, 0}},
    {"pread64", SYS_pread64, 180, BYTES, {0, 0}},
    {"readv", SYS_readv, 145, VECTOR, {0, 0}},
    {"preadv", SYS_preadv, 333, VECTOR, {0, 0}},
    {"preadv2", SYS_preadv2, 378, VECTOR, {0, 0}},
    {"write", SYS_write, 4, BYTES, {0, 0}},
    {"pwrite64", SYS_pwrite64, 181, BYTES, {0, 0}},
    {"writev", SYS_writev, 146, VECTOR, {0, 0}},
    {"pwritev", SYS_pwritev, 334, VECTOR, {0, 0}},
    {"pwritev2", SYS_pwritev2, 379, VECTOR, {0, 0}},
    {"sendfile", SYS_sendfile, 187, SEND, {0, 0}},
    {"sendfile64", ABSENT, 239, SEND, {0, 0}},
    {"copy_file_range", SYS_copy_file_range, 377, COPY, {0, 0}},
    {"splice", SYS_splice, 313, INTO_PIPE, {0, 0}},
    {"mmap", SYS_mmap, 192, MAP, {0, 0}},
    {"mprotect", SYS_mprotect, 125, PROTECT, {0, 0}},
    {"pkey_mprotect", SYS_pkey_mprotect, 380, PROTECT, {0, 0}},
    {"truncate", SYS_truncate, 92, NAME, {MOVED, 0}},
    {"truncate64", ABSENT, 193, NAME, {MOVED, 0}},
    {"ftruncate", SYS_ftruncate, 93, OPENED, {MOVED, 0}},
    {"ftruncate64", ABSENT, 194, OPENED, {MOVED, 0}},
    {"unlink", SYS_unlink, 10, NAME, {0, 0}},
    {"unlinkat", SYS_unlinkat, 301, AT, {0, 0}},
    {"rmdir", SYS_rmdir, 40, NAME, {0, 0}},
    {"mkdir", SYS_mkdir, 39, NAME, {0700, 0}},
    {"mkdirat", SYS_mkdirat, 296, AT, {0700, 0}},
    {"mknod", SYS_mknod, 14, NAME, {S_IFIFO | 0600, 0}},
    {"mknodat", SYS_mknodat, 297, AT, {S_IFIFO | 0600, 0}},
    {"rename", SYS_rename, 38, NAMES, {0, 0}},
    {"renameat", SYS_renameat, 302, NAMES_AT, {0, 0}},
    {"renameat2", SYS_renameat2, 353, NAMES_AT, {EXCHANGE, 0}},
    {"link", SYS_link, 9, NAMES, {0, 0}},
    {"linkat", SYS_linkat, 303, NAMES_AT, {0, 0}},
    {"linkat-empty", SYS_linkat, 303, EMPTY, {0, 0}},
    {"symlink", SYS_symlink, 83, NAMES, {0, 0}},
    {"symlinkat", SYS_symlinkat, 304, TEXT_AT, {0, 0}},
    {"chmod", SYS_chmod, 15, NAME, {0640, 0}},
    {"fallocate", SYS_fallocate, 324, ROOM, {0, 0}},
    {"fchmod", SYS_fchmod, 94, OPENED, {0640, 0}},
    {"fchmodat", SYS_fchmodat, 306, AT, {0640, 0}},
    {"fchmodat2", 452, 452, AT, {0640, 0}},
    {"chown", SYS_chown, 212, NAME, {0, 0}},
    {"lchown", SYS_lchown, 198, NAME, {0, 0}},
    {"fchown", SYS_fchown, 207, OPENED, {0, 0}},
    {"fchownat", SYS_fchownat, 298, AT, {0, 0}},
    {"fchownat-empty", SYS_fchownat, 298, EMPTY, {0, 0}},
    {"fchmodat2-empty", 452, 452, EMPTY, {0, 0}},
};

static long call32(long number, const long* a) {
  long result;
  register long r8 __asm__("r8") = 0;
  /* The sixth argument is 0 in all of these calls. Below the stack there may be something of the compiler's. */
  __asm__ volatile("sub $128, %%rsp; push %%rbp; xor %%ebp, %%ebp; int $0x80; pop %%rbp; add $128, %%rsp"
                   : "=a"(result), "+r"(r8)
                   : "a"(number), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
                   : "memory", "cc", "r9", "r10", "r11");
  return (int)result;
}
#else
static const struct call calls[] = {{"", 0, 0, NAME, {0, 0}}};

static long call32(long number, const long* a) {
  (void)number, (void)a;
  return -ENOSYS;
}
#endif

static int compat;
static char name[4200], other[4200], bytes[MOVED];

static long make_call(const struct call* call, long a, long b, long c, long d, long e) {
  const long arguments[5] = {a, b, c, d, e};
  if (compat) return call->number32 == ABSENT ? -ENOSYS : call32(call->number32, arguments);
  if (call->number64 == ABSENT) return -ENOSYS;
  const long result = syscall(call->number64, a, b, c, d, e, 0);
  return result < 0 ? -errno : result;
}

static long by_how(const struct call* call) {
  static uint64_t how[3]; /* flags, mode, resolve: struct open_how */
  return make_call(call, AT_FDCWD, (long)name, (long)how, sizeof(how), 0);
}

static long by_handle(const struct call* call, const char* folder) {
  static struct {
    struct file_handle head;
    unsigned char id[MAX_HANDLE_SZ];
  } handle;
  int mount;
  handle.head.handle_bytes = MAX_HANDLE_SZ;
  if (name_to_handle_at(AT_FDCWD, name, &handle.head, &mount, 0) != 0) fail("name_to_handle_at");
  const int from = open(folder, O_RDONLY | O_DIRECTORY);
  return make_call(call, from, (long)&handle, O_RDONLY, 0, 0);
}

static long by_vector(const struct call* call, int fd) {
  static struct iovec wide[2];
  static uint32_t narrow[4]; /* two of a 32-bit program's */
  for (int i = 0; i < 2; i++) {
    char* half = bytes + i * (MOVED / 2);
    wide[i].iov_base = half;
    wide[i].iov_len = MOVED / 2;
    narrow[2 * i] = (uint32_t)(uintptr_t)half;
    narrow[2 * i + 1] = MOVED / 2;
  }
  return make_call(call, fd, compat ? (long)narrow : (long)wide, 2, 0, 0);
}

static long on_memory(const struct call* call, int fd) {
  if (call->shape == MAP) {
    const long at = make_call(call, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    return at < 0 && at >= -4095 ? at : 0;
  }
  void* at = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_32BIT, fd, 0);
  return make_call(call, (long)at, 4096, PROT_READ | PROT_WRITE, -1, 0); /* with the key that every page has */
}

/* The file is the descriptor's own: the name is "". */
static long by_empty_name(const struct call* call, int fd) {
  if (call->number32 == 303) return make_call(call, fd, (long)"", AT_FDCWD, (long)other, AT_EMPTY_PATH);
  if (call->number32 == 298) return make_call(call, fd, (long)"", 0, 0, AT_EMPTY_PATH);
  return make_call(call, fd, (long)"", 0640, AT_EMPTY_PATH, 0);
}

static long on_descriptor(const struct call* call) {
  const int fd = open(name, O_RDWR);
  int pipes[2];
  switch (call->shape) {
    case EMPTY:
      return by_empty_name(call, fd);
    case OPENED:
      return make_call(call, fd, call->value[0], call->value[1], 0, 0);
    case ROOM: /* 32-bit callers have two arguments for each number */
      return compat ? make_call(call, fd, 0, 0, 0, MOVED) : make_call(call, fd, 0, 0, MOVED, 0);
    case BYTES:
      return make_call(call, fd, (long)bytes, MOVED, 0, 0);
    case VECTOR:
      return by_vector(call, fd);
    case SEND:
      return make_call(call, open(other, O_WRONLY), fd, 0, MOVED, 0);
    case COPY:
      return make_call(call, fd, 0, open(other, O_WRONLY), 0, MOVED);
    case INTO_PIPE:
      if (pipe(pipes) != 0) fail("pipe");
      return make_call(call, fd, 0, pipes[1], 0, MOVED);
    default:
      return on_memory(call, fd);
  }
}

static long done(const struct call* call, const char* folder) {
  const long value = call->value[0], value2 = call->value[1];
  switch (call->shape) {
    case NAME:
      return make_call(call, (long)name, value, value2, 0, 0);
    case AT:
      return make_call(call, AT_FDCWD, (long)name, value, value2, 0);
    case HOW:
      return by_how(call);
    case HANDLE:
      return by_handle(call, folder);
    case NAMES:
      return make_call(call, (long)name, (long)other, 0, 0, 0);
    case NAMES_AT:
      return make_call(call, AT_FDCWD, (long)name, AT_FDCWD, (long)other, value);
    case TEXT_AT:
      return make_call(call, (long)name, AT_FDCWD, (long)other, 0, 0);
    default:
      return on_descriptor(call);
  }
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  compat = strcmp(argv[1], "compat") == 0;
  for (int i = 3; i < argc; i++) {
    long result = -ENOSYS;
    snprintf(name, sizeof(name), "%s/%s", argv[2], argv[i]);
    snprintf(other, sizeof(other), "%s/%s.to", argv[2], argv[i]);
    for (size_t c = 0; c < sizeof(calls) / sizeof(*calls); c++)
      if (strcmp(calls[c].name, argv[i]) == 0) result = done(&calls[c], argv[2]);
    say("%s %ld", argv[i], result);
  }
  return 0;
}
