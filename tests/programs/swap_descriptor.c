/* swap_descriptor FOLDER TRIES: opens FOLDER/aaaa again and again, while another thread puts FOLDER/bbbb behind the
 * very descriptor that the open returns. Says `opened TRIES`, of those that worked, and `swapped N`: after how many of
 * them the other file was found behind it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int other, next;
static volatile int going, over;

static void* swap(void* unused) {
  (void)unused;
  while (!over) {
    dup2(other, next);
    going = 1;
  }
  return NULL;
}

int main(int argc, char** argv) {
  char path[4096];
  pthread_t thread;
  struct stat theirs, found;
  long opened = 0, swapped = 0;
  if (argc < 3) return 120;
  snprintf(path, sizeof(path), "%s/bbbb", argv[1]);
  other = open(path, O_RDONLY);
  fstat(other, &theirs);
  snprintf(path, sizeof(path), "%s/aaaa", argv[1]);
  next = other + 1; /* the lowest that is free: what open will return when the other thread leaves it */
  if (other < 0 || pthread_create(&thread, NULL, swap, NULL)) return 121;
  while (!going) {
  }
  const long tries = atol(argv[2]);
  for (long i = 0; i < tries; i++) {
    close(next);
    const int fd = open(path, O_RDONLY);
    opened += fd >= 0;
    swapped += fd >= 0 && fstat(fd, &found) == 0 && found.st_ino == theirs.st_ino;
    if (fd > next) close(fd);
  }
  over = 1;
  pthread_join(thread, NULL);
  printf("opened %ld\nswapped %ld\n", opened, swapped);
  return 0;
}
