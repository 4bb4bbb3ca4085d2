/* uring_ops plain|async|sqpoll FOLDER: works on files of FOLDER through io_uring, one request after the other: makes,
 * writes, reads a file, makes a folder, links, renames, unlinks, and opens what is not there. Without liburing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "say.h"

static struct {
  int fd;
  unsigned *tail, *mask, *array, *flags;
  unsigned *cq_head, *cq_tail, *cq_mask;
  struct io_uring_cqe* cqes;
  struct io_uring_sqe* sqes;
  unsigned char sqe_flags;
} ring;

static void set_up(const char* mode) {
  struct io_uring_params params = {0};
  if (strcmp(mode, "sqpoll") == 0) params.flags = IORING_SETUP_SQPOLL;
  if (strcmp(mode, "async") == 0) ring.sqe_flags = IOSQE_ASYNC;
  ring.fd = (int)syscall(SYS_io_uring_setup, 8, &params);
  if (ring.fd < 0) {
    say("unsupported %d", errno);
    exit(0);
  }
  char* sq = mmap(NULL, params.sq_off.array + params.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED,
                  ring.fd, IORING_OFF_SQ_RING);
  char* cq = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
                  MAP_SHARED, ring.fd, IORING_OFF_CQ_RING);
  ring.sqes = mmap(NULL, params.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
                   IORING_OFF_SQES);
  if (sq == MAP_FAILED || cq == MAP_FAILED || ring.sqes == MAP_FAILED) fail("map the ring");
  ring.tail = (unsigned*)(sq + params.sq_off.tail);
  ring.mask = (unsigned*)(sq + params.sq_off.ring_mask);
  ring.array = (unsigned*)(sq + params.sq_off.array);
  ring.flags = (unsigned*)(sq + params.sq_off.flags);
  ring.cq_head = (unsigned*)(cq + params.cq_off.head);
  ring.cq_tail = (unsigned*)(cq + params.cq_off.tail);
  ring.cq_mask = (unsigned*)(cq + params.cq_off.ring_mask);
  ring.cqes = (struct io_uring_cqe*)(cq + params.cq_off.cqes);
}

static int request(unsigned char opcode, int fd, const void* address, unsigned length, unsigned long offset,
                   unsigned flags) {
  const unsigned tail = *ring.tail, at = tail & *ring.mask;
  struct io_uring_sqe* sqe = &ring.sqes[at];
  memset(sqe, 0, sizeof(*sqe));
  sqe->opcode = opcode;
  sqe->flags = ring.sqe_flags;
  sqe->fd = fd;
  sqe->addr = (unsigned long)address;
  sqe->len = length;
  sqe->off = offset;
  sqe->open_flags = flags;
  ring.array[at] = at;
  __atomic_store_n(ring.tail, tail + 1, __ATOMIC_SEQ_CST);
  const unsigned wake = __atomic_load_n(ring.flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP;
  const unsigned how = IORING_ENTER_GETEVENTS | (wake ? IORING_ENTER_SQ_WAKEUP : 0u);
  while (__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == *ring.cq_head)
    if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, how, NULL, 0) < 0 && errno != EINTR) fail("io_uring_enter");
  const int result = ring.cqes[*ring.cq_head & *ring.cq_mask].res;
  __atomic_store_n(ring.cq_head, *ring.cq_head + 1, __ATOMIC_RELEASE);
  return result;
}

int main(int argc, char** argv) {
  char bytes[7];
  if (argc < 3) return 2;
  if (chdir(argv[2]) != 0) fail(argv[2]);
  set_up(argv[1]);
  const int fd = request(IORING_OP_OPENAT, AT_FDCWD, "file", 0600, 0, O_RDWR | O_CREAT);
  if (fd < 0) return 3;
  say("write %d", request(IORING_OP_WRITE, fd, "secret\n", 7, 0, 0));
  say("read %d", request(IORING_OP_READ, fd, bytes, 7, 0, 0));
  say("mkdir %d", request(IORING_OP_MKDIRAT, AT_FDCWD, "made", 0700, 0, 0));
  say("link %d", request(IORING_OP_LINKAT, AT_FDCWD, "file", (unsigned)AT_FDCWD, (unsigned long)"hard", 0));
  say("symlink %d", request(IORING_OP_SYMLINKAT, AT_FDCWD, "file", 0, (unsigned long)"soft", 0));
  say("rename %d", request(IORING_OP_RENAMEAT, AT_FDCWD, "hard", (unsigned)AT_FDCWD, (unsigned long)"moved", 0));
  say("unlink %d", request(IORING_OP_UNLINKAT, AT_FDCWD, "moved", 0, 0, 0));
  say("rmdir %d", request(IORING_OP_UNLINKAT, AT_FDCWD, "made", 0, 0, AT_REMOVEDIR));
  say("nothing %d", request(IORING_OP_OPENAT, AT_FDCWD, "nothing", 0, 0, O_RDONLY));
  return 0;
}
