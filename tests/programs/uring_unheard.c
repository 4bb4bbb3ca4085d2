/* uring_unheard WHAT FILE: one request of io_uring that may not be seen, and whether it did its work: `WHAT done` or
 * `WHAT RESULT`. WHAT: `quiet`, a read of FILE whose success nobody is told of; `direct`, an open of FILE into the
 * ring's own table; `splice` of FILE into a pipe; `multishot`, a read of a pipe that goes on; `overflow`, a read of
 * FILE when there is no room for its completion; `unfetched`, one whose completion nobody looks for; `moved`, FILE is
 * unlinked by its name alone, and its end looked for from another folder; `async`, it is unlinked so by a worker that
 * stays in its folder, though the process has left that, when it asks. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>

#include "uring.h"

#define READ_MULTISHOT 49 /* IORING_OP_READ_MULTISHOT, Linux 6.7 */

static volatile char bytes[64];

/* The request put last; the kernel looks at it when it is submitted. */
static struct io_uring_sqe* last(void) {
  return &ring.sqes[(*ring.tail - 1) & *ring.mask];
}

static void read_soon(int fd) {
  ring_put(IORING_OP_READ, fd, (const void*)bytes, 7, 0, 0);
  ring_submit(0);
  for (int waited = 0; waited < 100 && bytes[0] == 0; waited++) usleep(10 * 1000);
}

static int unfetched(int fd) {
  read_soon(fd);
  return bytes[0] != 0;
}

static int overflow(int fd) {
  for (int i = 0; i < 2; i++) {
    ring_put(IORING_OP_NOP, -1, NULL, 0, 0, 0);
    ring_submit(0);
  }
  return unfetched(fd);
}

static int moved(char* file) {
  char* name = strrchr(file, '/');
  *name++ = 0;
  if (chdir(file) != 0) fail(file);
  ring_put(IORING_OP_UNLINKAT, AT_FDCWD, name, 0, 0, 0);
  ring_submit(0);
  for (int waited = 0; waited < 100 && access(name, F_OK) == 0; waited++) usleep(10 * 1000);
  if (chdir("/") != 0) fail("/");
  if (syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) fail("io_uring_enter");
  return ring_result() + 1;
}

static int left_behind(char* file) {
  char* name = strrchr(file, '/');
  *name++ = 0;
  if (chdir(file) != 0) fail(file);
  if (ring_request(IORING_OP_UNLINKAT, AT_FDCWD, "nothing", 0, 0, 0) != -ENOENT) return -1; /* makes the worker */
  if (unshare(CLONE_FS) != 0 || chdir("/") != 0) fail("leave");
  return ring_request(IORING_OP_UNLINKAT, AT_FDCWD, name, 0, 0, 0) + 1;
}

static int quiet(int fd) {
  read_soon(fd);
  return *ring.cq_head != __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) ? ring_result() : bytes[0] != 0;
}

static int direct(const char* file) {
  const int none = -1;
  if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &none, 1) != 0) return -errno;
  ring_put(IORING_OP_OPENAT, AT_FDCWD, file, 0, 0, O_RDONLY);
  last()->file_index = 1;
  return ring_result() + 1;
}

static int splice_file(int fd, const int* ends) {
  ring_put(IORING_OP_SPLICE, ends[1], NULL, 7, (unsigned long)-1, 0);
  last()->splice_fd_in = fd;
  last()->splice_off_in = 0;
  return ring_result();
}

static int multishot(const int* ends) {
  int result = ring_request(IORING_OP_PROVIDE_BUFFERS, 1, (const void*)bytes, sizeof(bytes), 0, 0);
  if (result < 0) return result;
  ring_put(READ_MULTISHOT, ends[0], NULL, 0, (unsigned long)-1, 0);
  last()->flags |= IOSQE_BUFFER_SELECT;
  ring_submit(0);
  if (write(ends[1], "secret\n", 7) != 7) fail("write");
  return ring_result();
}

int main(int argc, char** argv) {
  int ends[2];
  if (argc < 3) return 2;
  const int fd = open(argv[2], O_RDONLY);
  if (fd < 0 || pipe(ends) != 0) fail(argv[2]);
  ring_set_up(argv[1]);
  const int result = strcmp(argv[1], "quiet") == 0       ? quiet(fd)
                     : strcmp(argv[1], "direct") == 0    ? direct(argv[2])
                     : strcmp(argv[1], "splice") == 0    ? splice_file(fd, ends)
                     : strcmp(argv[1], "overflow") == 0  ? overflow(fd)
                     : strcmp(argv[1], "unfetched") == 0 ? unfetched(fd)
                     : strcmp(argv[1], "moved") == 0     ? moved(argv[2])
                     : strcmp(argv[1], "async") == 0     ? left_behind(argv[2])
                                                         : multishot(ends);
  if (result > 0)
    say("%s done", argv[1]);
  else
    say("%s %d", argv[1], result);
  return 0;
}
