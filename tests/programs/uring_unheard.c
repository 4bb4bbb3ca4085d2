/* uring_unheard FILE: reads FILE by a request of io_uring whose success nobody is told of, and says whether it came. */
#define _GNU_SOURCE
#include <fcntl.h>

#include "uring.h"

int main(int argc, char** argv) {
  static volatile char bytes[7];
  if (argc < 2) return 2;
  const int fd = open(argv[1], O_RDONLY);
  if (fd < 0) fail(argv[1]);
  ring_set_up("quiet");
  ring_put(IORING_OP_READ, fd, (const void*)bytes, sizeof(bytes), 0, 0);
  if (syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) != 1) fail("io_uring_enter");
  for (int waited = 0; waited < 100 && bytes[0] == 0; waited++) usleep(10 * 1000);
  const int failed = *ring.cq_head != __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE);
  say("%s", failed ? "failed" : bytes[0] != 0 ? "read" : "nothing");
  return 0;
}
