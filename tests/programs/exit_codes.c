/* exit_codes: a child for every exit code, for several signals, and one that dumps core when RLIMIT_CORE lets it. Says
 * each child's pid and wait status. */
#include <signal.h>

#include "say.h"

static void child_that(void (*end)(int), int value) {
  const pid_t child = fork();
  if (child == 0) {
    end(value);
    _exit(123);
  }
  int status;
  if (waitpid(child, &status, 0) != child) fail("waitpid");
  say("status %d %d", child, status);
}

static void end_by_signal(int number) {
  signal(number, SIG_DFL);
  raise(number);
}

int main(void) {
  const int signals[] = {SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGPIPE, SIGALRM, SIGRTMIN + 3, SIGSEGV, SIGABRT};
  for (int code = 0; code < 256; ++code) child_that(_exit, code);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i) child_that(end_by_signal, signals[i]);
  return 0;
}
