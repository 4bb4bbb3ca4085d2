/* uring_ops plain|async|sqpoll FOLDER: works on files of FOLDER through io_uring, one request after the other: makes,
 * writes, reads a file, makes a folder, links, renames, unlinks, and opens what is not there. What io_uring has not
 * here (EINVAL) is said, and done by a system call. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>

#include "uring.h"

/* True when io_uring has no such request here. */
static int told(const char* what, int result) {
  say("%s %d", what, result);
  return result == -EINVAL;
}

int main(int argc, char** argv) {
  char bytes[7];
  if (argc < 3) return 2;
  if (chdir(argv[2]) != 0) fail(argv[2]);
  ring_set_up(argv[1]);
  const int fd = ring_request(IORING_OP_OPENAT, AT_FDCWD, "file", 0600, 0, O_RDWR | O_CREAT);
  if (fd < 0) return 3;
  say("write %d", ring_request(IORING_OP_WRITE, fd, "secret\n", 7, 0, 0));
  say("read %d", ring_request(IORING_OP_READ, fd, bytes, 7, 0, 0));
  if (told("mkdir", ring_request(IORING_OP_MKDIRAT, AT_FDCWD, "made", 0700, 0, 0))) mkdir("made", 0700);
  if (told("link", ring_request(IORING_OP_LINKAT, AT_FDCWD, "file", (unsigned)AT_FDCWD, (unsigned long)"hard", 0)))
    (void)!link("file", "hard");
  if (told("symlink", ring_request(IORING_OP_SYMLINKAT, AT_FDCWD, "file", 0, (unsigned long)"soft", 0)))
    (void)!symlink("file", "soft");
  say("rename %d", ring_request(IORING_OP_RENAMEAT, AT_FDCWD, "hard", (unsigned)AT_FDCWD, (unsigned long)"moved", 0));
  say("unlink %d", ring_request(IORING_OP_UNLINKAT, AT_FDCWD, "moved", 0, 0, 0));
  say("rmdir %d", ring_request(IORING_OP_UNLINKAT, AT_FDCWD, "made", 0, 0, AT_REMOVEDIR));
  say("nothing %d", ring_request(IORING_OP_OPENAT, AT_FDCWD, "nothing", 0, 0, O_RDONLY));
  return 0;
}
