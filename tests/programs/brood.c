/* brood COUNT: forks COUNT children that live until standard input closes (or somebody kills them); says each. */
#include "say.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  char byte;
  for (int i = atoi(argv[1]); i > 0; --i) {
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
      while (read(0, &byte, 1) > 0) {
      }
      return 0;
    }
    say("fork %d %d", child, getpid());
  }
  say("all %d", getpid());
  reap_all();
  return 0;
}
