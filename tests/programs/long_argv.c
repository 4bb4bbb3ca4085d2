/* long_argv total N|empty N|bytes PROGRAM: execs PROGRAM with arguments
 *   total N: N bytes in all, NULs counted, the first being "0" (PROGRAM's exit code)
 *   empty N: N empty ones
 *   bytes:   every odd thing: invalid UTF-8, a newline, an empty one, a control character, an escape sequence
 * The stack limit is raised, so that 2 MiB fit. */
#include <sys/resource.h>

#include "say.h"

enum { kPiece = 1000, kMost = 100000 };
static char* arguments[kMost];

static void total(size_t bytes) {
  size_t count = 0;
  arguments[count++] = "x";
  arguments[count++] = "0";
  for (size_t left = bytes - 4; left > 0;) {
    const size_t take = left > kPiece ? kPiece : left;
    char* piece = malloc(take);
    memset(piece, 'a' + (int)(count % 26), take - 1);
    piece[take - 1] = 0;
    arguments[count++] = piece;
    left -= take;
  }
  say("argv %zu %zu", count, bytes);
}

static void empty(size_t count) {
  for (size_t i = 0; i < count; ++i) arguments[i] = "";
  say("argv %zu %zu", count, count);
}

static void odd_bytes(void) {
  char* odd[] = {"odd",         "0",        "\xff\xfe",     "two\nlines", "",          "tab\tbell\a",
                 "\x1b[31mred", "\xc3\xa9", "\xe2\x80\xae", "\xc3",       "\"quoted\\"};
  memcpy(arguments, odd, sizeof odd);
  say("argv %zu 0", sizeof odd / sizeof *odd);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const struct rlimit stack = {64 << 20, RLIM_INFINITY};
  if (setrlimit(RLIMIT_STACK, &stack) != 0) fail("setrlimit");
  if (strcmp(argv[1], "total") == 0) total(strtoul(argv[2], NULL, 10));
  if (strcmp(argv[1], "empty") == 0) empty(strtoul(argv[2], NULL, 10));
  if (strcmp(argv[1], "bytes") == 0) odd_bytes();
  char* const environment[] = {NULL};
  execve(argv[argc - 1], arguments, environment);
  fail("execve");
}
