/* shared_tls [COUNT]: carries a TLS library of its own that exports its functions, and reads one object in two threads
 * at once, as QUIC's objects allow: while one waits in the middle of a call, and of a call within that, the other
 * reads. Or so many objects, each made where the one before still is, of which each sends one byte. */
#include <pthread.h>

#include "say.h"

#define EXPORTED __attribute__((visibility("default"), noinline))

static pthread_barrier_t inside, done;
static int made;
static __thread int waits;

/* ---- the library: what is read is the letter of who reads ---- */

EXPORTED void* SSL_new(void* context) {
  asm volatile(""); /* who has nothing to do need not be called */
  return context ? context : &made;
}

EXPORTED void SSL_free(void* object) {
  *(int*)object = 0;
}

EXPORTED int SSL_clear(void* object) {
  return ++*(int*)object;
}

EXPORTED int SSL_write(void* object, const void* data, int length) {
  *(volatile int*)object += *(const char*)data;
  return length;
}

EXPORTED int SSL_read(void* object, void* data, int length) {
  ++*(volatile int*)object;
  if (waits) pthread_barrier_wait(&inside);
  memset(data, waits ? 'w' : 'q', (size_t)length);
  if (waits) pthread_barrier_wait(&done);
  return length;
}

EXPORTED int SSL_read_ex(void* object, void* data, size_t length, size_t* moved) {
  *moved = (size_t)SSL_read(object, data, (int)length);
  return *moved != 0;
}

/* ---- its users ---- */

static void* wait_in_reads(void* object) {
  char data[64];
  size_t moved;
  waits = 1;
  if (SSL_read(object, data, 30) != 30) fail("read");
  if (!SSL_read_ex(object, data, 40, &moved)) fail("read_ex");
  return NULL;
}

static int make_one_after_the_other(int count) {
  while (count-- > 0)
    if (SSL_write(SSL_new(NULL), "x", 1) != 1) fail("write");
  return 0;
}

int main(int argc, char** argv) {
  pthread_t thread;
  void* object = SSL_new(NULL);
  char data[8];
  if (argc == 2) return make_one_after_the_other(atoi(argv[1]));
  pthread_barrier_init(&inside, NULL, 2);
  pthread_barrier_init(&done, NULL, 2);
  if (pthread_create(&thread, NULL, wait_in_reads, object)) fail("pthread_create");
  for (int i = 0; i < 2; i++) {
    pthread_barrier_wait(&inside);
    if (SSL_read(object, data, 5 + i) != 5 + i) fail("read");
    pthread_barrier_wait(&done);
  }
  pthread_join(thread, NULL);
  if (SSL_write(object, "end", 3) != 3) fail("write");
  SSL_free(object);
  return 0;
}
