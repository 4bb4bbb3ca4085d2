/* leader_exits_first group|thread LEADER_CODE CODE: the leader ends with LEADER_CODE while another thread lives on;
 * that one ends the group (group) or only itself (thread) with CODE once the leader is a zombie. */
#include <pthread.h>
#include <sys/syscall.h>

#include "say.h"

static int ends_group;
static int code;

static int leader_is_gone(void) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
  FILE* file = fopen(path, "r");
  if (file == NULL || fgets(line, sizeof line, file) == NULL) fail(path);
  fclose(file);
  return strrchr(line, ')')[2] == 'Z';
}

static void* live_on(void* unused) {
  (void)unused;
  while (!leader_is_gone()) usleep(1000);
  say("leader-gone %d %ld", getpid(), syscall(SYS_gettid));
  syscall(ends_group ? SYS_exit_group : SYS_exit, code);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  ends_group = strcmp(argv[1], "group") == 0;
  code = atoi(argv[3]);
  pthread_t thread;
  if (pthread_create(&thread, NULL, live_on, NULL) != 0) fail("pthread_create");
  syscall(SYS_exit, atoi(argv[2]));
  return 122;
}
