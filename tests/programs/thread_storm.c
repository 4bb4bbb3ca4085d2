/* thread_storm COUNT: threads come and go; only the process is worth an event. */
#include <pthread.h>

#include "say.h"

static void* nothing(void* unused) {
  return unused;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (int i = atoi(argv[1]); i > 0; --i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0) fail("pthread_create");
    pthread_join(thread, NULL);
  }
  return 0;
}
