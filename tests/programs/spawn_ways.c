/* spawn_ways vfork|posix_spawn|clone3 PROGRAM: starts `PROGRAM 3` in that way and waits for it. */
#include <linux/sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>

#include "say.h"

extern char** environ;

static pid_t by_vfork(char* const child[]) {
  const pid_t pid = vfork();
  if (pid == 0) {
    execv(child[0], child);
    _exit(127);
  }
  return pid;
}

static pid_t by_posix_spawn(char* const child[]) {
  pid_t pid = -1;
  errno = posix_spawn(&pid, child[0], NULL, NULL, child, environ);
  return pid;
}

static pid_t by_clone3(char* const child[]) {
  struct clone_args args = {.exit_signal = SIGCHLD};
  const pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) {
    execv(child[0], child);
    _exit(127);
  }
  return pid;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  char* const child[] = {argv[2], "3", NULL};
  const pid_t pid = strcmp(argv[1], "vfork") == 0         ? by_vfork(child)
                    : strcmp(argv[1], "posix_spawn") == 0 ? by_posix_spawn(child)
                                                          : by_clone3(child);
  if (pid < 0) fail(argv[1]);
  say("fork %d %d", pid, getpid());
  reap(pid);
  return 0;
}
