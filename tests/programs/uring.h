/* io_uring without liburing: one ring, one request at a time. */
#ifndef AA_TESTS_URING_H
#define AA_TESTS_URING_H

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "say.h"

#define SINGLE_ISSUER (1u << 12)
#define DEFER_TASKRUN (1u << 13)
#define QUIETLY 64 /* IOSQE_CQE_SKIP_SUCCESS, Linux 5.17 */

static struct {
  int fd;
  unsigned *tail, *mask, *array, *flags;
  unsigned *cq_head, *cq_tail, *cq_mask;
  struct io_uring_cqe* cqes;
  struct io_uring_sqe* sqes;
  unsigned char sqe_flags;
} ring;

/* MODE: `plain`, `async` (each request by a worker of the kernel), `sqpoll` (by a thread that looks for requests),
 * `quiet` (only what fails has a completion), `overflow` (room for two completions), `moved` and `unfetched` (by
 * a worker, and completed when somebody waits for it; Linux 6.1). Says `unsupported ERRNO` and ends where there is no
 * io_uring. */
static void ring_set_up(const char* mode) {
  struct io_uring_params params = {0};
  if (strcmp(mode, "sqpoll") == 0) params.flags = IORING_SETUP_SQPOLL;
  const int is_late = strcmp(mode, "moved") == 0 || strcmp(mode, "unfetched") == 0;
  if (is_late) params.flags = SINGLE_ISSUER | DEFER_TASKRUN;
  if (strcmp(mode, "overflow") == 0) params.flags = IORING_SETUP_CQSIZE;
  params.cq_entries = 2;
  if (strcmp(mode, "async") == 0 || is_late) ring.sqe_flags = IOSQE_ASYNC;
  if (strcmp(mode, "quiet") == 0) ring.sqe_flags = QUIETLY;
  ring.fd = (int)syscall(SYS_io_uring_setup, strcmp(mode, "overflow") == 0 ? 2 : 8, &params);
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

static void ring_put(unsigned char opcode, int fd, const void* address, unsigned length, unsigned long offset,
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
}

/* What was put, and at least `wanted` results. */
static inline void ring_submit(unsigned wanted) {
  const unsigned wake = __atomic_load_n(ring.flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP;
  const unsigned how = (wanted ? IORING_ENTER_GETEVENTS : 0u) | (wake ? IORING_ENTER_SQ_WAKEUP : 0u);
  if (syscall(SYS_io_uring_enter, ring.fd, 1, wanted, how, NULL, 0) < 0 && errno != EINTR) fail("io_uring_enter");
}

/* Waits for the next one: a result, or a negative errno. */
static inline int ring_result(void) {
  while (__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == *ring.cq_head) ring_submit(1);
  const int result = ring.cqes[*ring.cq_head & *ring.cq_mask].res;
  __atomic_store_n(ring.cq_head, *ring.cq_head + 1, __ATOMIC_RELEASE);
  return result;
}

/* One request, waited for. */
static inline int ring_request(unsigned char opcode, int fd, const void* address, unsigned length, unsigned long offset,
                               unsigned flags) {
  ring_put(opcode, fd, address, length, offset, flags);
  return ring_result();
}

#endif
