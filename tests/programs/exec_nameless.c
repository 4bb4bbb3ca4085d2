/* exec_nameless memfd|deleted|tmpfile PROGRAM [FOLDER]: executes a copy of PROGRAM that lives in a memfd, or in a file
 * of FOLDER that was unlinked before or never had a name (O_TMPFILE). */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>

#include "copy.h"

static int memfd_of(const char* program) {
  const int fd = memfd_create("aa test image", MFD_CLOEXEC);
  if (fd < 0) fail("memfd_create");
  copy_to(fd, program);
  return fd;
}

static int unlinked_copy_of(const char* program, const char* folder) {
  char* path;
  if (asprintf(&path, "%s/gone", folder) < 0) exit(121);
  const int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  if (out < 0) fail(path);
  copy_to(out, program);
  close(out);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || unlink(path) != 0) fail(path);
  return fd;
}

static int unnamed_copy_of(const char* program, const char* folder) {
  char path[32];
  const int out = open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0700);
  if (out < 0) fail("O_TMPFILE");
  copy_to(out, program);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", out);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path);
  close(out);  // what is open for writing is not executed
  return fd;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int fd = strcmp(argv[1], "memfd") == 0     ? memfd_of(argv[2])
                 : strcmp(argv[1], "tmpfile") == 0 ? unnamed_copy_of(argv[2], argv[3])
                                                   : unlinked_copy_of(argv[2], argv[3]);
  char* const args[] = {"nameless", "11", NULL};
  syscall(SYS_execveat, fd, "", args, NULL, AT_EMPTY_PATH);
  fail("execveat");
}
