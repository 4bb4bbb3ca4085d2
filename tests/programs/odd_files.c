/* odd_files FOLDER: opens and writes what has no ordinary path. Says `WHAT INODE` for each, `WHAT failed` where this
 * kernel has no such thing. In a mount namespace of its own, to which `foreign` does not belong, and at last in a root
 * of its own. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#define CLONE_TREE 1 /* OPEN_TREE_CLONE */

static void use(const char* what, int fd) {
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) {
    printf("%s failed\n", what);
    return;
  }
  if (write(fd, what, strlen(what)) < 0) perror(what);
  printf("%s %lu\n", what, (unsigned long)status.st_ino);
  fflush(stdout);
}

static int made(const char* folder, const char* name) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return open(path, O_RDWR | O_CREAT, 0600);
}

static void use_deleted(const char* folder) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/deleted", folder);
  const int fd = made(folder, "deleted");
  unlink(path);
  use("deleted", fd);
}

static void use_unmounted(const char* folder) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/unmounted", folder);
  if (mkdir(path, 0700) != 0 || mount("none", path, "tmpfs", 0, NULL) != 0) return;
  const int fd = made(path, "inside");
  umount2(path, MNT_DETACH);
  use("unmounted", fd);
}

static void use_tree(const char* folder) {
  const int tree = (int)syscall(SYS_open_tree, AT_FDCWD, folder, CLONE_TREE);
  use("tree", tree < 0 ? tree : openat(tree, "in-tree", O_RDWR | O_CREAT, 0600));
}

static void use_outside(const char* folder) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/jail", folder);
  const int fd = made(folder, "outside");
  if (mkdir(path, 0700) != 0 || chroot(path) != 0) return;
  use("outside", fd);
}

int main(int argc, char** argv) {
  int pipes[2], pair[2];
  if (argc < 2) return 120;
  use("memfd", memfd_create("aa test", 0));
  if (pipe(pipes) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 121;
  use("event-fd", eventfd(0, 0)); /* takes eight bytes */
  use("pipe", pipes[1]);
  use("socket", pair[1]);
  use("tmpfile", open(argv[1], O_TMPFILE | O_RDWR, 0600));
  use_deleted(argv[1]);
  const int foreign = made(argv[1], "foreign");
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return 122;
  use("foreign", foreign);
  use_unmounted(argv[1]);
  use_tree(argv[1]);
  use_outside(argv[1]);
  return 0;
}
