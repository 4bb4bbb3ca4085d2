/* new_pidns PROGRAM: unshares the pid namespace; its child is 1 there, the child's child 2, which execs PROGRAM. Says
 * outer pid, outer pid of who forked it, pid inside. /proc is the outer namespace's: its `self` gives the outer pid. */
#define _GNU_SOURCE
#include <sched.h>

#include "say.h"

static int outer_pid(void) {
  char text[32];
  const ssize_t length = readlink("/proc/self", text, sizeof text - 1);
  if (length < 0) fail("readlink");
  text[length] = 0;
  return atoi(text);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int root = outer_pid();
  if (unshare(CLONE_NEWPID) != 0) fail("unshare");
  const pid_t child = fork();
  if (child == 0) {
    const int self = outer_pid();
    say("inside %d %d %d", self, root, getpid());
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      say("inside %d %d %d", outer_pid(), self, getpid());
      execl(argv[1], argv[1], "5", NULL);
      fail("execl");
    }
    reap(grandchild);
    _exit(0);
  }
  reap(child);
  return 0;
}
