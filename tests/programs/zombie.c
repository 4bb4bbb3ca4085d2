/* zombie: its child has ended and nobody has waited for it, until standard input closes. */
#include <signal.h>

#include "say.h"

int main(void) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info;
  if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0) fail("waitid");
  say("zombie %d %d", child, getpid());
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}
