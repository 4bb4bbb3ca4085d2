/* failed_calls FILE: does to FILE what its descriptors do not allow, one to read and one to write, then makes what is
 * there already and removes a folder that is none. Says `OP RESULT` for each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "say.h"

static void tell(const char* op, long result) {
  say("%s %ld", op, result < 0 ? (long)-errno : result);
}

int main(int argc, char** argv) {
  char bytes[8] = {0};
  if (argc < 2) return 120;
  const char* file = argv[1];
  const int reads = open(file, O_RDONLY), writes = open(file, O_WRONLY);
  if (reads < 0 || writes < 0) fail(file);
  tell("read", read(writes, bytes, sizeof(bytes)));
  tell("write", write(reads, bytes, sizeof(bytes)));
  tell("mmap", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reads, 0) == MAP_FAILED ? -1 : 0);
  void* at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reads, 0);
  tell("mprotect", mprotect(at, 4096, PROT_READ | PROT_WRITE));
  tell("truncate", ftruncate(reads, 5));
  tell("mkdir", mkdir(file, 0700));
  tell("mknod", mknod(file, S_IFIFO | 0600, 0));
  tell("symlink", symlink("text", file));
  tell("rmdir", rmdir(file));
  return 0;
}
