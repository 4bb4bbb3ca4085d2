/* letters_tls CERTIFICATE THREADS COUNT: so many threads, each with both ends of a TLS connection of its own, through
 * memory. Each sends SIZE bytes of one letter COUNT times, and reads them. */
#include <pthread.h>

#include "tls_pair.h"

#define SIZE 32000

static const char* certificate;
static int count;
static pthread_barrier_t together;

static void* talk(void* letter) {
  char *data = malloc(SIZE), *got = malloc(SIZE);
  void *client, *server;
  mover write_some = (mover)symbol("SSL_write"), read_some = (mover)symbol("SSL_read");
  pair(&client, &server, certificate);
  memset(data, (int)(long)letter, SIZE);
  pthread_barrier_wait(&together);
  for (int i = 0; i < count; i++) {
    int all = 0, some = 1;
    if (write_some(client, data, SIZE) != SIZE) return letter;
    for (; all < SIZE && some > 0; all += some) some = read_some(server, got + all, SIZE - all);
    if (all != SIZE || memcmp(data, got, SIZE)) return letter;
  }
  return NULL;
}

int main(int argc, char** argv) {
  pthread_t threads[64];
  int failed = 0;
  if (argc != 4) fail("usage");
  certificate = argv[1];
  int number = atoi(argv[2]);
  count = atoi(argv[3]);
  if (number < 1 || number > 64) fail("usage");
  open_library();
  pthread_barrier_init(&together, NULL, (unsigned)number);
  for (int i = 0; i < number; i++)
    if (pthread_create(&threads[i], NULL, talk, (void*)(long)('A' + i)) != 0) fail("pthread_create");
  for (int i = 0; i < number; i++) {
    void* result;
    pthread_join(threads[i], &result);
    failed += result != NULL;
  }
  return failed != 0;
}
