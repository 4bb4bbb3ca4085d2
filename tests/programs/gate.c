/* gate FD PROGRAM ARGS…: waits for a byte on FD, then becomes PROGRAM. Watched while it waits, PROGRAM is seen from its
 * first instruction. End of file instead of a byte: nobody wants it any more. */
#include "say.h"

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int fd = atoi(argv[1]);
  char byte;
  if (read(fd, &byte, 1) != 1) return 0;
  close(fd);
  execvp(argv[2], argv + 2);
  fprintf(stderr, "gate: %s: %s\n", argv[2], strerror(errno));
  return 127;
}
