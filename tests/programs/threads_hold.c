/* threads_hold: two threads that live until standard input closes; says pid and the other thread's id. */
#include <pthread.h>
#include <sys/syscall.h>

#include "say.h"

static void* live(void* unused) {
  char byte;
  say("thread %d %ld", getpid(), syscall(SYS_gettid));
  while (read(0, &byte, 1) > 0) {
  }
  return unused;
}

int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, live, NULL) != 0) fail("pthread_create");
  pthread_join(thread, NULL);
  return 0;
}
