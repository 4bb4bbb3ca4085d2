/* uring_ops plain|async|sqpoll FOLDER: works on files of FOLDER through io_uring, one request after the other: makes,
 * writes, reads a file, opens it once more and does so in parts, makes room in it, reads a pipe that is written to only
 * then, makes a folder, links, renames, unlinks, and opens what is not there. What io_uring has not here (EINVAL) is
 * said, and done by a system call. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "uring.h"

/* True when io_uring has no such request here. */
static int told(const char* what, int result) {
  say("%s %d", what, result);
  return result == -EINVAL;
}

/* Through another descriptor: its first read and its first write are told by themselves. */
static void in_parts(void) {
  char bytes[7];
  struct open_how how = {.flags = O_RDWR};
  struct iovec parts[2] = {{bytes, 3}, {bytes + 3, 4}};
  const int fd = ring_request(IORING_OP_OPENAT2, AT_FDCWD, "file", sizeof(how), (unsigned long)&how, 0);
  say("openat2 %d", fd);
  say("readv %d", ring_request(IORING_OP_READV, fd, parts, 2, 0, 0));
  say("writev %d", ring_request(IORING_OP_WRITEV, fd, parts, 2, 0, 0));
  /* The length stands where others have an address. */
  say("fallocate %d", ring_request(IORING_OP_FALLOCATE, fd, (void*)100, 0, 0, 0));
}

static void from_an_empty_pipe(void) {
  char byte;
  int ends[2];
  struct stat status;
  if (pipe(ends) != 0 || fstat(ends[0], &status) != 0) fail("pipe");
  ring_put(IORING_OP_READ, ends[0], &byte, 1, 0, 0);
  ring_submit(0);
  usleep(10 * 1000); /* as long as it takes to be waiting, mostly */
  if (write(ends[1], "x", 1) != 1) fail("write");
  say("pipe %d", ring_result());
  say("inode %lu", (unsigned long)status.st_ino);
}

int main(int argc, char** argv) {
  char bytes[7];
  if (argc < 3) return 2;
  if (chdir(argv[2]) != 0) fail(argv[2]);
  ring_set_up(argv[1]);
  const int fd = ring_request(IORING_OP_OPENAT, AT_FDCWD, "file", 0600, 0, O_RDWR | O_CREAT);
  if (fd < 0) return 3;
  say("create %d", fd);
  say("write %d", ring_request(IORING_OP_WRITE, fd, "secret\n", 7, 0, 0));
  say("read %d", ring_request(IORING_OP_READ, fd, bytes, 7, 0, 0));
  in_parts();
  from_an_empty_pipe();
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
