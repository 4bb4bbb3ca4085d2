/* rename_thread: a thread takes another name, forks, and ends the process. The process keeps its leader's name. */
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "say.h"

static void* rename_and_fork(void* unused) {
  (void)unused;
  prctl(PR_SET_NAME, "other-name");
  const pid_t child = fork();
  if (child == 0) _exit(0);
  say("fork-by-thread %d %d %ld", child, getpid(), syscall(SYS_gettid));
  reap(child);
  exit(0);
}

int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, rename_and_fork, NULL) != 0) fail("pthread_create");
  pthread_join(thread, NULL);
  return 122;
}
