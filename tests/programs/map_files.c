/* map_files FILE…: says its pid, waits for a byte of standard input, then maps each file to be executed, all at once,
 * in a thread for each; says `mapped N`, and ends when standard input does. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "say.h"

static pthread_barrier_t together;

static void* map(void* path) {
  int file = open(path, O_RDONLY);
  pthread_barrier_wait(&together);
  return file < 0 || mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0) == MAP_FAILED ? NULL : path;
}

int main(int argc, char** argv) {
  pthread_t threads[64];
  int count = argc - 1, mapped = 0;
  char byte;
  if (count < 1 || count > 64) fail("usage");
  pthread_barrier_init(&together, NULL, count);
  say("pid %d", getpid());
  if (read(0, &byte, 1) != 1) fail("read");
  for (int i = 0; i < count; i++)
    if (pthread_create(&threads[i], NULL, map, argv[i + 1]) != 0) fail("pthread_create");
  for (int i = 0; i < count; i++) {
    void* result;
    pthread_join(threads[i], &result);
    mapped += result != NULL;
  }
  say("mapped %d", mapped);
  while (read(0, &byte, 1) > 0) {
  }
  return mapped == count ? 0 : 1;
}
