/* odd_files FOLDER: opens, reads and writes what has no ordinary path. Says `WHAT INODE` for each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void use(const char* what, int fd) {
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) {
    printf("%s failed\n", what);
    return;
  }
  if (write(fd, what, strlen(what)) < 0) perror(what);
  printf("%s %lu\n", what, (unsigned long)status.st_ino);
  fflush(stdout);
}

int main(int argc, char** argv) {
  char path[4096];
  int pipes[2], pair[2];
  if (argc < 2) return 120;
  use("memfd", memfd_create("aa test", 0));
  if (pipe(pipes) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 121;
  use("pipe", pipes[1]);
  use("socket", pair[1]);
  use("tmpfile", open(argv[1], O_TMPFILE | O_RDWR, 0600));
  snprintf(path, sizeof(path), "%s/deleted", argv[1]);
  const int fd = open(path, O_RDWR | O_CREAT, 0600);
  unlink(path);
  use("deleted", fd);
  return 0;
}
