/* file_storm FOLDER PROCESSES OPERATIONS LOG: each process opens, reads, sends, maps and writes files of FOLDER at
 * random, some its own and some shared, and links, renames and unlinks names of its own. It appends its own account to
 * LOG, a line a file: `PID NAME OPENS READS READ_BYTES WRITES WRITTEN_BYTES MAPPINGS`, and one `PID names TIMES`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES 4

struct account {
  char name[64];
  unsigned long opens, reads, read_bytes, writes, written_bytes, mappings;
};

static unsigned long seed;
static unsigned long next(unsigned long below) {
  seed = seed * 6364136223846793005ul + 1442695040888963407ul;
  return (seed >> 33) % below;
}

static int sink;

static void read_some(int fd, struct account* file, char* buffer, unsigned long size) {
  struct iovec parts[2] = {{buffer, size / 2}, {buffer + size / 2, size - size / 2}};
  off_t from = (off_t)next(256);
  ssize_t got;
  switch (next(4)) {
    case 0:
      got = read(fd, buffer, size);
      break;
    case 1:
      got = pread(fd, buffer, size, from);
      break;
    case 2:
      got = sendfile(sink, fd, &from, size);
      break;
    default:
      got = readv(fd, parts, 2);
  }
  if (got < 0) _exit(121);
  file->reads++;
  file->read_bytes += (unsigned long)got;
}

static void write_some(int fd, struct account* file, char* buffer, unsigned long size) {
  struct iovec parts[2] = {{buffer, size / 2}, {buffer + size / 2, size - size / 2}};
  ssize_t put;
  switch (next(3)) {
    case 0:
      put = write(fd, buffer, size);
      break;
    case 1:
      put = pwrite(fd, buffer, size, (off_t)next(4096));
      break;
    default:
      put = writev(fd, parts, 2);
  }
  if (put < 0) _exit(122);
  file->writes++;
  file->written_bytes += (unsigned long)put;
}

static void map_it(int fd, struct account* file) {
  void* there = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  if (there == MAP_FAILED) _exit(124);
  munmap(there, 4096);
  file->mappings++;
}

/* A name more for the file, another, and none. */
static void name_it(const char* path, const char* folder, int number) {
  char name[4096], renamed[4096];
  snprintf(name, sizeof(name), "%s/name%d", folder, number);
  snprintf(renamed, sizeof(renamed), "%s/renamed%d", folder, number);
  if (link(path, name) || rename(name, renamed) || unlink(renamed)) _exit(125);
}

static void work(const char* folder, int number, long operations, const char* log) {
  struct account files[FILES];
  int fds[FILES];
  char buffer[512], path[4096];
  unsigned long named = 0;
  memset(files, 0, sizeof(files));
  memset(buffer, 'x', sizeof(buffer));
  seed = (unsigned long)number * 7919 + 1;
  sink = open("/dev/null", O_WRONLY);
  for (int i = 0; i < FILES; i++) {
    if (i < 2) {
      snprintf(files[i].name, sizeof(files[i].name), "shared%d", i);
    } else {
      snprintf(files[i].name, sizeof(files[i].name), "own%d-%d", number, i);
    }
    fds[i] = -1;
  }
  for (long done = 0; done < operations; done++) {
    const int i = (int)next(FILES);
    snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
    if (fds[i] < 0 || next(50) == 0) {
      if (fds[i] >= 0) close(fds[i]);
      fds[i] = open(path, O_RDWR | O_CREAT | (next(4) == 0 ? O_TRUNC : 0), 0600);
      if (fds[i] < 0) _exit(123);
      files[i].opens++;
    } else if (next(200) == 0) {
      map_it(fds[i], &files[i]);
    } else if (next(200) == 0) {
      name_it(path, folder, number);
      named++;
    } else if (next(2)) {
      read_some(fds[i], &files[i], buffer, next(300));
    } else {
      write_some(fds[i], &files[i], buffer, next(300));
    }
  }
  FILE* out = fopen(log, "a");
  if (!out) _exit(120);
  for (int i = 0; i < FILES; i++)
    fprintf(out, "%d %s %lu %lu %lu %lu %lu %lu\n", getpid(), files[i].name, files[i].opens, files[i].reads,
            files[i].read_bytes, files[i].writes, files[i].written_bytes, files[i].mappings);
  fprintf(out, "%d names %lu\n", getpid(), named);
  fclose(out);
  _exit(0); /* with files open: their sums end with the process */
}

int main(int argc, char** argv) {
  if (argc < 5) return 120;
  const int processes = atoi(argv[2]);
  for (int i = 0; i < processes; i++)
    if (fork() == 0) work(argv[1], i, atol(argv[3]), argv[4]);
  for (int status; wait(&status) > 0;)
    if (status != 0) return WEXITSTATUS(status);
  return 0;
}
