/* double_fork_setsid PROGRAM: a daemon as of old: fork, setsid, fork, the one between ends, the last execs PROGRAM. */
#include "say.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const pid_t root = getpid();
  const pid_t between = fork();
  if (between == 0) {
    if (setsid() < 0) fail("setsid");
    const pid_t self = getpid();
    say("fork %d %d", self, root);
    if (fork() != 0) _exit(0);
    while (getppid() == self) usleep(1000);
    say("fork %d %d", getpid(), self);
    say("reparented %d %d", getpid(), getppid());
    execl(argv[1], argv[1], "4", NULL);
    fail("execl");
  }
  reap(between);
  return 0;
}
