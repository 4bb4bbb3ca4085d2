/* copy_to(fd, path): the bytes of a program, so that a test can execute a file of its own. */
#ifndef AA_TESTS_COPY_H
#define AA_TESTS_COPY_H

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "say.h"

__attribute__((unused)) static void copy_to(int out, const char* path) {
  const int in = open(path, O_RDONLY | O_CLOEXEC);
  if (in < 0) fail(path);
  ssize_t got;
  while ((got = sendfile(out, in, NULL, 1 << 20)) > 0) {
  }
  if (got < 0 || fchmod(out, 0755) != 0) fail("copy");
  close(in);
}

#endif
