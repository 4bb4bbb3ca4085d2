/* cold_name NAMES: removes the file whose name NAMES begins with, by a pointer into a mapping of NAMES that nobody has
 * read: as the call begins, the name is not in memory. */
#include <fcntl.h>
#include <sys/mman.h>

#include "say.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int fd = open(argv[1], O_RDONLY);
  const char* name = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  if (name == MAP_FAILED) fail("mmap");
  unlink(name);
  return 0;
}
