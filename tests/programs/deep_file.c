/* deep_file FOLDER LENGTH COUNT WHAT: COUNT folders with names of LENGTH bytes below each other. WHAT `make`: makes
 * them; `leaf`: goes down, makes a file `leaf` in the last and takes it away; `clear`: takes the folders away. By
 * itself each, so that a test watches the leaf alone: telling of thousands of deep folders takes minutes where
 * processors are slow. */
#include <fcntl.h>
#include <sys/stat.h>

#include "say.h"

int main(int argc, char** argv) {
  char name[256];
  if (argc != 5) return 2;
  const long length = atol(argv[2]), count = atol(argv[3]);
  if (length < 1 || length > 255) return 2;
  memset(name, 'd', (size_t)length);
  name[length] = 0;
  const int makes = strcmp(argv[4], "make") == 0, clears = strcmp(argv[4], "clear") == 0;
  if (chdir(argv[1]) != 0) fail(argv[1]);
  for (long i = 0; i < count; i++)
    if ((makes && mkdir(name, 0700) != 0) || chdir(name) != 0) fail("go down");
  for (long i = 0; clears && i < count; i++)
    if (chdir("..") != 0 || rmdir(name) != 0) fail("come up");
  if (makes || clears) return 0;
  const int fd = open("leaf", O_WRONLY | O_CREAT, 0600);
  if (fd < 0) fail("leaf");
  close(fd);
  unlink("leaf");
  return 0;
}
