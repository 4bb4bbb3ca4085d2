/* storm exec|fork COUNT WORKERS LOG [PROGRAM]: COUNT children at full speed, made by WORKERS processes one after
 * another. A child execs `PROGRAM CODE` (exec) or ends with CODE at once (fork). Each worker appends to LOG, when it is
 * done, one record of three native 32-bit numbers a child, in the order it made them: its own pid, the child's, CODE.
 */
#include <fcntl.h>
#include <stdint.h>

#include "say.h"

struct entry {
  uint32_t parent, child, code;
};

static void work(long count, const char* log, char* program) {
  struct entry* entries = calloc((size_t)count + 1, sizeof *entries);
  if (entries == NULL) fail("calloc");
  const uint32_t self = (uint32_t)getpid();
  for (long i = 0; i < count; ++i) {
    const uint32_t code = (uint32_t)i & 0x7f;
    char text[8];
    snprintf(text, sizeof text, "%u", code);
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
      char* const args[] = {program, text, NULL};
      if (program != NULL) execv(program, args);
      _exit(program == NULL ? (int)code : 127);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != (int)(code << 8)) fail("waitpid");
    entries[i] = (struct entry){self, (uint32_t)child, code};
  }
  const int fd = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
  const ssize_t bytes = (ssize_t)(sizeof *entries * (size_t)count);
  if (fd < 0 || write(fd, entries, (size_t)bytes) != bytes) fail(log);
}

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  char* const program = strcmp(argv[1], "exec") == 0 ? argv[5] : NULL;
  const long count = atol(argv[2]), workers = atol(argv[3]);
  for (long i = 0; i < workers; ++i) {
    if (fork() != 0) continue;
    work(count / workers + (i < count % workers), argv[4], program);
    return 0;
  }
  int failed = 0, status;
  while (wait(&status) > 0) failed |= status;
  return failed != 0;
}
