/* timed_tls CERTIFICATE FORM COUNT RESULT: writes and reads 1 KiB through memory, COUNT times each, and writes to
 * RESULT how many ns of its thread one call took. FORM: `plain`: SSL_write and SSL_read; `ex`: SSL_write_ex and
 * SSL_read_ex. */
#include <time.h>

#include "tls_pair.h"

#define SIZE 1024

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char** argv) {
  static char data[SIZE] = "is-it-there"; /* what a tool that is measured beside us must show */
  void *client, *server;
  size_t moved;
  if (argc != 5) fail("usage");
  open_library();
  pair(&client, &server, argv[1]);
  mover write_some = (mover)symbol("SSL_write"), read_some = (mover)symbol("SSL_read");
  mover_ex write_ex = (mover_ex)symbol("SSL_write_ex"), read_ex = (mover_ex)symbol("SSL_read_ex");
  int plain = !strcmp(argv[2], "plain");
  long count = atol(argv[3]), failed = 0;
  double begin = now_ns();
  for (long i = 0; i < count; i++) {
    if (plain)
      failed += write_some(client, data, SIZE) != SIZE || read_some(server, data, SIZE) != SIZE;
    else
      failed += write_ex(client, data, SIZE, &moved) != 1 || read_ex(server, data, SIZE, &moved) != 1;
  }
  double took = now_ns() - begin;
  FILE* result = fopen(argv[4], "w");
  if (failed || !result) fail("write and read");
  fprintf(result, "%f", took / (2.0 * (double)count));
  return fclose(result);
}
