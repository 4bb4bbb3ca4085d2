/* dead_reader: once a byte comes in, a thread waits in SSL_read for a server that says nothing, which is said:
 * "waiting". After another byte it ends there, without coming back: "dead". The process goes on until standard input
 * ends. */
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tls_pair.h"

static void* ssl;
static volatile int tid;

static void end(int signal) {
  (void)signal;
  syscall(SYS_exit, 0); /* this thread alone */
}

static void* read_some(void* unused) {
  char byte;
  tid = (int)syscall(SYS_gettid);
  ((mover)symbol("SSL_read"))(ssl, &byte, 1);
  return unused;
}

static void await_byte(void) {
  char byte;
  if (read(0, &byte, 1) != 1) fail("wait");
}

static int is_waiting(void) {
  char path[64];
  int number = -1;
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
  FILE* file = fopen(path, "r");
  if (!file) return 0;
  if (fscanf(file, "%d", &number) != 1) number = -1;
  fclose(file);
  return number == SYS_read;
}

int main(void) {
  int pair[2];
  pthread_t thread;
  char byte;
  open_library();
  signal(SIGUSR1, end);
  await_byte();
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) fail("socketpair");
  ssl = made("SSL_new", context("TLS_client_method", NULL));
  ((int (*)(void*, int))symbol("SSL_set_fd"))(ssl, pair[0]);
  ((void (*)(void*))symbol("SSL_set_connect_state"))(ssl);
  if (pthread_create(&thread, NULL, read_some, NULL)) fail("start a thread");
  while (!tid || !is_waiting()) usleep(1000);
  say("waiting");
  await_byte();
  pthread_kill(thread, SIGUSR1);
  while (!syscall(SYS_tgkill, getpid(), tid, 0)) usleep(1000);
  say("dead");
  while (read(0, &byte, 1) > 0) continue;
  return 0;
}
