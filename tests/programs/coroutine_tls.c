/* coroutine_tls CERTIFICATE: two GnuTLS clients in coroutines of one thread, which take turns in the middle of each
 * send, so that calls end in another order than they would on one stack. Their servers are threads. Says "ok" when
 * every send was taken; ended by a signal, it was killed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#define SERVER 1u
#define CLIENT 2u
#define CERTIFICATE_CREDENTIALS 1
#define PEM 1
#define WAIT 1
#define MESSAGES 5
#define STACK (1 << 18)

typedef void* session;
typedef ssize_t (*transport_function)(void*, void*, size_t);

static void* library;
static void* credentials;
static ucontext_t scheduler, clients[2];
static session sessions[2];
static int ends[2][2], finished[2], running = -1;

static void* symbol(const char* name) {
  void* found = dlsym(library, name);
  if (!found) exit(120);
  return found;
}

/* Gives the other one its turn before it sends. */
static ssize_t push(void* fd, void* data, size_t size) {
  if (running >= 0) swapcontext(&clients[running], &scheduler);
  return write((int)(long)fd, data, size);
}

static ssize_t pull(void* fd, void* data, size_t size) {
  return read((int)(long)fd, data, size);
}

static session shake_hands(unsigned side, int fd) {
  int (*handshake)(session) = (int (*)(session))symbol("gnutls_handshake");
  session one = 0;
  int result;
  ((int (*)(session*, unsigned))symbol("gnutls_init"))(&one, side);
  ((int (*)(session))symbol("gnutls_set_default_priority"))(one);
  ((int (*)(session, int, void*))symbol("gnutls_credentials_set"))(one, CERTIFICATE_CREDENTIALS, credentials);
  ((void (*)(session, void*))symbol("gnutls_transport_set_ptr"))(one, (void*)(long)fd);
  ((void (*)(session, transport_function))symbol("gnutls_transport_set_push_function"))(one, push);
  ((void (*)(session, transport_function))symbol("gnutls_transport_set_pull_function"))(one, pull);
  for (int tries = 0; (result = handshake(one)) < 0; tries++)
    if (tries == 100) exit(121);
  return one;
}

static void* serve(void* fd) {
  ssize_t (*receive)(session, void*, size_t) = (transport_function)symbol("gnutls_record_recv");
  session one = shake_hands(SERVER, (int)(long)fd);
  char got[256];
  while (receive(one, got, sizeof(got)) > 0) {
  }
  return 0;
}

/* Plainly; the second and third together; the last with room for its length to be hidden. */
static void speak(int which) {
  ssize_t (*send)(session, const void*, size_t) =
      (ssize_t(*)(session, const void*, size_t))symbol("gnutls_record_send");
  ssize_t (*send_range)(session, const void*, size_t, const size_t*) =
      (ssize_t(*)(session, const void*, size_t, const size_t*))symbol("gnutls_record_send_range");
  for (int i = 0; i < MESSAGES; i++) {
    char words[64];
    const int length = snprintf(words, sizeof(words), "coroutine %d says %d\n", which, i);
    const size_t range[2] = {(size_t)length, (size_t)length + 32};
    if (i == 1) ((void (*)(session))symbol("gnutls_record_cork"))(sessions[which]);
    if (i == MESSAGES - 1) {
      if (send_range(sessions[which], words, (size_t)length, range) != length) exit(3);
    } else if (send(sessions[which], words, (size_t)length) != length) {
      exit(2);
    }
    if (i == 2 && ((int (*)(session, unsigned))symbol("gnutls_record_uncork"))(sessions[which], WAIT) < 0) exit(4);
  }
  finished[which] = 1;
}

int main(int argc, char** argv) {
  pthread_t threads[2];
  library = dlopen("libgnutls.so.30", RTLD_NOW);
  if (argc != 2 || !library) return 120;
  ((int (*)(void**))symbol("gnutls_certificate_allocate_credentials"))(&credentials);
  if (((int (*)(void*, const char*, const char*, int))symbol("gnutls_certificate_set_x509_key_file"))(
          credentials, argv[1], argv[1], PEM))
    return 122;
  for (int i = 0; i < 2; i++) {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i])) return 123;
    pthread_create(&threads[i], 0, serve, (void*)(long)ends[i][1]);
    sessions[i] = shake_hands(CLIENT, ends[i][0]);
    getcontext(&clients[i]);
    clients[i].uc_stack.ss_sp = malloc(STACK);
    clients[i].uc_stack.ss_size = STACK;
    clients[i].uc_link = &scheduler;
    makecontext(&clients[i], (void (*)(void))speak, 1, i);
  }
  while (!finished[0] || !finished[1]) {
    for (int i = 0; i < 2; i++) {
      if (finished[i]) continue;
      running = i;
      swapcontext(&scheduler, &clients[i]);
      running = -1;
    }
  }
  for (int i = 0; i < 2; i++) shutdown(ends[i][0], SHUT_RDWR);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
  puts("ok");
  return 0;
}
