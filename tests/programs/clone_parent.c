/* clone_parent: a child makes its own sibling. The kernel calls the grandparent the parent; the child forked it. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "say.h"

int main(void) {
  const pid_t root = getpid();
  const pid_t child = fork();
  if (child == 0) {
    const pid_t self = getpid();
    say("fork %d %d", self, root);
    const long sibling = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (sibling < 0) fail("clone");
    if (sibling == 0) {
      say("fork %d %d", getpid(), self);
      say("parent %d %d", getpid(), getppid());
      _exit(9);
    }
    _exit(8);
  }
  reap_all();
  return 0;
}
