/* chroot_exec FOLDER PROGRAM: makes FOLDER its root and execs PROGRAM, a path inside. */
#include "say.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  if (chroot(argv[1]) != 0 || chdir("/") != 0) fail("chroot");
  execl(argv[2], argv[2], "0", NULL);
  fail("execl");
}
