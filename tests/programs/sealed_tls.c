/* sealed_tls CERTIFICATE WAY ROUNDS: both ends of a TLS connection in one process, through memory, which then gives up
 * nearly all system calls and goes on talking. WAY: `none`; `strict`: seccomp's strict mode; `filter`: a filter that
 * kills. Says "ok" when every byte arrived as it was sent; ended by a signal, it was killed. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tls_pair.h"

#define SIZE 1000
#define WARM 20
#define KEPT (64 << 20)

static void seal(const char* way) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  if (!strcmp(way, "strict") && prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)) fail("strict");
  if (strcmp(way, "filter")) return;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) fail("filter");
}

static void leave(int status) {
  syscall(SYS_exit, status); /* the only end that strict mode knows */
}

/* There and back, with both forms of both functions. */
static void talk(void* client, void* server, mover write_some, mover_ex read_ex, mover_ex write_ex, mover read_some,
                 int round) {
  static char data[SIZE], got[SIZE];
  size_t moved = 0;
  for (int i = 0; i < SIZE; i++) data[i] = (char)('a' + (round + i) % 26);
  if (write_some(client, data, SIZE) != SIZE || read_ex(server, got, SIZE, &moved) != 1 || moved != SIZE) leave(2);
  if (memcmp(data, got, SIZE)) leave(3);
  if (write_ex(server, got, SIZE, &moved) != 1 || read_some(client, data, SIZE) != SIZE) leave(4);
  if (memcmp(data, got, SIZE)) leave(5);
}

int main(int argc, char** argv) {
  void *client, *server;
  mallopt(M_TOP_PAD, KEPT);
  mallopt(M_TRIM_THRESHOLD, KEPT);
  mallopt(M_MMAP_THRESHOLD, KEPT);
  if (argc != 4) fail("usage");
  open_library();
  pair(&client, &server, argv[1]);
  mover write_some = (mover)symbol("SSL_write"), read_some = (mover)symbol("SSL_read");
  mover_ex write_ex = (mover_ex)symbol("SSL_write_ex"), read_ex = (mover_ex)symbol("SSL_read_ex");
  int rounds = atoi(argv[3]), round = 0;
  for (; round < WARM; round++) talk(client, server, write_some, read_ex, write_ex, read_some, round);
  seal(argv[2]);
  for (; round < WARM + rounds; round++) talk(client, server, write_some, read_ex, write_ex, read_some, round);
  if (write(1, "ok\n", 3) != 3) leave(6);
  leave(0);
}
