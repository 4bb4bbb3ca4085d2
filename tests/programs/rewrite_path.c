/* rewrite_path FOLDER TRIES: opens FOLDER/aaaa or FOLDER/bbbb through one buffer that another thread keeps rewriting.
 * Says `opened INODE` for each open that worked, from fstat of the descriptor, and `done TRIES`. */
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

static void* rewrite(void* unused) {
  (void)unused;
  while (!over) {
    memcpy(name, "bbbb", 4);
    memcpy(name, "aaaa", 4);
  }
  return NULL;
}

int main(int argc, char** argv) {
  pthread_t thread;
  if (argc < 3) return 120;
  snprintf(path, sizeof(path), "%s/aaaa", argv[1]);
  name = path + strlen(argv[1]) + 1;
  if (pthread_create(&thread, NULL, rewrite, NULL)) return 121;
  const long tries = atol(argv[2]);
  for (long i = 0; i < tries; i++) {
    const int fd = open(path, O_RDONLY);
    struct stat status;
    if (fd < 0) continue; /* a name half of each */
    fstat(fd, &status);
    close(fd);
    printf("opened %lu\n", (unsigned long)status.st_ino);
  }
  over = 1;
  pthread_join(thread, NULL);
  printf("done %ld\n", tries);
  return 0;
}
