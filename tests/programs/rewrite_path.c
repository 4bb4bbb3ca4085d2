/* rewrite_path FOLDER TRIES: opens FOLDER/aaaa or FOLDER/bbbb through one buffer that another thread keeps rewriting.
 * Says `opened INODE` for each open that worked, from fstat of the descriptor, and `rewritten N`: while how many of the
 * calls it was rewritten. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[4096];
static char* volatile name;
static volatile int over;
static volatile unsigned long times;

static void* rewrite(void* unused) {
  (void)unused;
  while (!over) {
    memcpy(name, times & 1 ? "aaaa" : "bbbb", 4);
    times++;
  }
  return NULL;
}

int main(int argc, char** argv) {
  pthread_t thread;
  if (argc < 3) return 120;
  snprintf(path, sizeof(path), "%s/aaaa", argv[1]);
  name = path + strlen(argv[1]) + 1;
  if (pthread_create(&thread, NULL, rewrite, NULL)) return 121;
  while (times == 0) {
  }
  const long tries = atol(argv[2]);
  long rewritten = 0;
  for (long i = 0; i < tries; i++) {
    const unsigned long before = times;
    const int fd = open(path, O_RDONLY);
    struct stat status;
    rewritten += times != before;
    if (fd < 0) continue; /* a name half of each */
    fstat(fd, &status);
    close(fd);
    printf("opened %lu\n", (unsigned long)status.st_ino);
  }
  over = 1;
  pthread_join(thread, NULL);
  printf("rewritten %ld\n", rewritten);
  return 0;
}
