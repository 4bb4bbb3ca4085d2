/* file_calls CALL COUNT FILE RESULT: does `open` (and close), `read` (of 64 bytes) or `getppid` COUNT times and writes
 * into RESULT how many nanoseconds one of them took. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void opens(const char* file) {
  int fd = open(file, O_RDONLY);
  if (fd < 0) _exit(121);
  close(fd);
}

static void reads(int fd) {
  char buffer[64];
  if (pread(fd, buffer, sizeof(buffer), 0) != sizeof(buffer)) _exit(122);
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const char call = argv[1][0];
  const long count = atol(argv[2]);
  const int fd = open(argv[3], O_RDONLY);
  const double begin = now();
  for (long i = 0; i < count; i++) {
    if (call == 'o') opens(argv[3]);
    if (call == 'r') reads(fd);
    if (call == 'g') syscall(SYS_getppid);
  }
  const double took = (now() - begin) / (double)count;
  FILE* result = fopen(argv[4], "w");
  if (!result) return 1;
  fprintf(result, "%f", took);
  return fclose(result);
}
