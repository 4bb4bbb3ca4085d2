/* failed_exec FOLDER: tries to exec what cannot be executed; says errno and path of each try, in order. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "say.h"

static const char* folder;

static char* in_folder(const char* name) {
  char* path;
  if (asprintf(&path, "%s/%s", folder, name) < 0) exit(121);
  return path;
}

static void write_file(const char* path, const char* text, mode_t mode) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) != 0) fail(path);
  close(fd);
}

static void try(char* path) {
  char* const args[] = {"try", path, NULL};
  execve(path, args, NULL);
  say("tried %d %s", errno, path);
}

static void try_at(int dir, char* name) {
  char* const args[] = {"try-at", name, NULL};
  syscall(SYS_execveat, dir, name, args, NULL, 0);
  say("tried-at %d %s", errno, name);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  folder = argv[1];
  char* plain = in_folder("plain");
  char* garbage = in_folder("garbage");
  char* orphan = in_folder("no-interpreter");
  write_file(plain, "not for execution", 0600);
  write_file(garbage, "no format that a kernel knows", 0700);
  write_file(orphan, "#!/no/such/interpreter\n", 0700);
  try(in_folder("missing"));
  try(plain);
  try(garbage);
  try(orphan);
  try(in_folder("plain/below"));
  const int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) fail(folder);
  try_at(dir, "missing-at");
  return 0;
}
