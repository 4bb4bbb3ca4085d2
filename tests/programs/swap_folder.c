/* swap_folder FOLDER TRIES [root]: changes the mode of "x", which is FOLDER/a/x or FOLDER/b/x, for another thread keeps
 * changing the working directory from the one to the other; with `root` that of "/x", and the root. Says `changed a` or
 * `changed b` for each: which of them has the mode. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "say.h"

static const char* const names[] = {"a", "b"};
static int folders[2], files[2];
static volatile int over;
static int is_root;

static mode_t mode_of(int file) {
  struct stat status;
  if (fstat(file, &status)) fail("fstat");
  return status.st_mode & 0777;
}

static void* move(void* unused) {
  (void)unused;
  for (unsigned times = 0; !over; times++)
    if (fchdir(folders[times & 1]) || (is_root && chroot("."))) fail("fchdir");
  return NULL;
}

int main(int argc, char** argv) {
  pthread_t thread;
  if (argc < 3 || chdir(argv[1])) fail("chdir");
  for (int i = 0; i < 2; i++) {
    folders[i] = open(names[i], O_PATH | O_DIRECTORY);
    files[i] = openat(folders[i], "x", O_RDONLY);
    if (folders[i] < 0 || files[i] < 0) fail(names[i]);
  }
  is_root = argc > 3;
  if (fchdir(folders[0]) || (is_root && chroot(".")) || pthread_create(&thread, NULL, move, NULL)) fail("begin");
  for (long left = atol(argv[2]); left > 0; left--) {
    mode_t mode = 0600;
    while (mode == mode_of(files[0]) || mode == mode_of(files[1])) mode++;
    if (chmod(is_root ? "/x" : "x", mode)) fail("chmod");
    printf("changed %s\n", names[mode_of(files[0]) != mode]);
  }
  over = 1;
  pthread_join(thread, NULL);
  return 0;
}
