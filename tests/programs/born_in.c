/* born_in CGROUP COMMAND…: runs COMMAND in a child that is born into that control group (a folder), as a service
 * manager does with clone3(CLONE_INTO_CGROUP). Says "child PID"; ends with the command's status. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "say.h"

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  int folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) fail(argv[1]);
  struct clone_args how = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)folder};
  long child = syscall(SYS_clone3, &how, sizeof how);
  if (child < 0) fail("clone3");
  if (child == 0) {
    execv(argv[2], argv + 2);
    _exit(123);
  }
  int status;
  if (waitpid((pid_t)child, &status, 0) < 0) fail("waitpid");
  say("child %ld", child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}
