/* deep_file FOLDER LENGTH COUNT: makes COUNT folders with names of LENGTH bytes below each other, a file `leaf` in the
 * last, and takes all of it away again. */
#include <fcntl.h>
#include <sys/stat.h>

#include "say.h"

int main(int argc, char** argv) {
  char name[256];
  if (argc != 4) return 2;
  const long length = atol(argv[2]), count = atol(argv[3]);
  if (length < 1 || length > 255) return 2;
  memset(name, 'd', (size_t)length);
  name[length] = 0;
  if (chdir(argv[1]) != 0) fail(argv[1]);
  for (long i = 0; i < count; i++)
    if (mkdir(name, 0700) != 0 || chdir(name) != 0) fail("go down");
  const int fd = open("leaf", O_WRONLY | O_CREAT, 0600);
  if (fd < 0) fail("leaf");
  close(fd);
  unlink("leaf");
  for (long i = 0; i < count; i++)
    if (chdir("..") != 0 || rmdir(name) != 0) fail("come up");
  return 0;
}
