/* forking_tree COUNT LIVING LOG SEED: a tree that forks as fast as it can until COUNT processes were made, at most
 * about LIVING at a time, several generations deep. Nobody is orphaned. Every process appends to LOG, one write each:
 * `s PID FORKED_BY BOOT_NS` when it starts, `e PID FORKED_BY BOOT_NS` when it is about to end. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

#include "say.h"

static struct { long made, living; } * shared;
static long most, most_living;
static int log_fd;

static void record(char what, pid_t forked_by) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  char line[96];
  const int length = snprintf(line, sizeof line, "%c %d %d %lld\n", what, getpid(), forked_by,
                              (long long)now.tv_sec * 1000000000 + now.tv_nsec);
  if (write(log_fd, line, (size_t)length) != length) _exit(120);
}

/* May one more be made? Claims it. */
static int claim(void) {
  if (__atomic_add_fetch(&shared->living, 1, __ATOMIC_RELAXED) > most_living ||
      __atomic_add_fetch(&shared->made, 1, __ATOMIC_RELAXED) > most) {
    __atomic_sub_fetch(&shared->living, 1, __ATOMIC_RELAXED);
    return 0;
  }
  return 1;
}

static void grow(unsigned seed, int depth);

static void branch(unsigned seed, int depth) {
  const pid_t self = getpid();
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child > 0) return;
  record('s', self);
  grow(seed ^ (unsigned)getpid() * 2654435761u, depth + 1);
  record('e', self);
  __atomic_sub_fetch(&shared->living, 1, __ATOMIC_RELAXED);
  _exit(0);
}

static void grow(unsigned seed, int depth) {
  for (int children = rand_r(&seed) % 4; children > 0 && depth < 12; --children)
    if (claim()) branch(seed + (unsigned)children, depth);
  reap_all();
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  most = atol(argv[1]);
  most_living = atol(argv[2]);
  log_fd = open(argv[3], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (log_fd < 0) fail(argv[3]);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap");
  unsigned seed = (unsigned)atoi(argv[4]);
  while (__atomic_load_n(&shared->made, __ATOMIC_RELAXED) < most) {
    if (claim()) branch((unsigned)rand_r(&seed), 0);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
  reap_all();
  return 0;
}
