/* deep_path cwd|exe FOLDER LENGTH PROGRAM: makes folders below FOLDER until the path is LENGTH bytes long and execs
 * there: cwd: PROGRAM, the working directory's path being LENGTH bytes exe: a copy of PROGRAM whose path is LENGTH
 * bytes, working directory FOLDER */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include "copy.h"

enum { kComponent = 200 };

/* Goes down until the path is `length` bytes; components are at most kComponent + 1, so none is left too short. */
static void go_down(size_t have, size_t length) {
  char name[2 * kComponent + 2];
  while (have < length) {
    size_t take = length - have - 1;
    if (take > 2 * kComponent)
      take = kComponent;
    else if (take > kComponent)
      take /= 2;
    memset(name, 'd', take);
    name[take] = 0;
    if (mkdir(name, 0755) != 0 || chdir(name) != 0) fail("go down");
    have += take + 1;
  }
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const int copies = strcmp(argv[1], "exe") == 0;
  const size_t length = strtoul(argv[3], NULL, 10) - (copies ? strlen("/image") : 0);
  if (chdir(argv[2]) != 0) fail(argv[2]);
  char* here = get_current_dir_name();
  go_down(strlen(here), length);
  char* const args[] = {"deep", "0", NULL};
  if (!copies) {
    execv(argv[4], args);
    fail("execv");
  }
  const int out = open("image", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
  if (out < 0) fail("image");
  copy_to(out, argv[4]);
  close(out);
  const int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0 || chdir(argv[2]) != 0) fail("chdir");
  syscall(SYS_execveat, dir, "image", args, NULL, 0);
  fail("execveat");
}
