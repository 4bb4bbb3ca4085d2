/* sized_tls CERTIFICATE SIZE COUNT: both ends of a TLS connection in one process, through memory; COUNT writes of SIZE
 * bytes (16384 at most: one TLS record), and as many reads. */
#include "tls_pair.h"

int main(int argc, char** argv) {
  static char data[16384];
  void *client, *server;
  if (argc != 4) fail("usage");
  int size = atoi(argv[2]);
  if (size < 1 || size > (int)sizeof data) fail("usage");
  open_library();
  pair(&client, &server, argv[1]);
  mover write_some = (mover)symbol("SSL_write"), read_some = (mover)symbol("SSL_read");
  for (int i = 0; i < atoi(argv[3]); i++)
    if (write_some(client, data, size) != size || read_some(server, data, size) != size) fail("write and read");
  return 0;
}
