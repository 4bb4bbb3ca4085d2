/* exec_by_thread PROGRAM ARGS…: a thread that is not the leader execs; its id becomes the leader's. */
#include <pthread.h>
#include <sys/syscall.h>

#include "say.h"

static void* become(void* argv) {
  say("exec %d %ld", getpid(), syscall(SYS_gettid));
  execv(((char**)argv)[0], argv);
  fail("execv");
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  pthread_t thread;
  if (pthread_create(&thread, NULL, become, argv + 1) != 0) fail("pthread_create");
  pthread_join(thread, NULL);
  return 122;
}
