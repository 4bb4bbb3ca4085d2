/* Telling the truth about oneself: one line, one write, so that lines of many processes never mix.
 *
 * A test program does one thing and says on its standard output what it did; the test compares that with the events.
 * Nothing here knows of the daemon. */
#ifndef AA_TESTS_SAY_H
#define AA_TESTS_SAY_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((format(printf, 1, 2), unused)) static void say(const char* format, ...) {
  char line[512];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(line, sizeof line - 1, format, args);
  va_end(args);
  line[length++] = '\n';
  if (write(1, line, (size_t)length) != length) _exit(120);
}

__attribute__((noreturn, unused)) static void fail(const char* doing) {
  fprintf(stderr, "%s: %s\n", doing, strerror(errno));
  exit(121);
}

__attribute__((unused)) static void reap(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) fail("waitpid");
}

__attribute__((unused)) static void reap_all(void) {
  while (wait(NULL) > 0 || errno == EINTR) {
  }
}

#endif
