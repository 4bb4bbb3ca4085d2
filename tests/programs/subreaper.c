/* subreaper: grandchildren come back to it instead of going to process 1; who forked them does not change. */
#include <sys/prctl.h>

#include "say.h"

static void leave_an_orphan(void) {
  const pid_t self = getpid();
  if (fork() != 0) _exit(0);
  while (getppid() == self) usleep(1000);
  say("fork %d %d", getpid(), self);
  say("reparented %d %d", getpid(), getppid());
}

int main(void) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) fail("prctl");
  const pid_t root = getpid();
  if (fork() == 0) {
    say("fork %d %d", getpid(), root);
    leave_an_orphan();
    leave_an_orphan(); /* the orphan's own child is orphaned in its turn */
    _exit(6);
  }
  reap_all();
  return 0;
}
