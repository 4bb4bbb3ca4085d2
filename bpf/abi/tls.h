/* The functions of TLS libraries that move data: one row each, for the kernel's programs and for user space.
 *
 * X(ID, short, name, direction, result): the first three arguments are always object, data, length, but for what sends
 * nothing of its own. A function that only jumps to another of these has no row: its bytes would be told twice. Nor has
 * gnutls_record_send_early_data, which keeps them for the handshake's own call of gnutls_record_send. BIO_f_ssl's two
 * are methods that nobody exports: seen at the call of what does their work (OpenSSL 3.3 and later: with flags before
 * the last argument). Rows are appended, never reused.
 */
#ifndef AA_ABI_TLS_H
#define AA_ABI_TLS_H

#define AA_TLS_RECV 0
#define AA_TLS_SEND 1

/* How much was moved. */
#define AA_TLS_RESULT_INT 0   /* the result, an int, when above 0 */
#define AA_TLS_RESULT_OUT4 1  /* in *(size_t*) of the fourth argument, when the result is 1 */
#define AA_TLS_RESULT_OUT5 2  /* the same, of the fifth */
#define AA_TLS_RESULT_EARLY 3 /* in *(size_t*) of the fourth, when the result is 1 (more) or 2 (the end) */
#define AA_TLS_RESULT_LONG 4  /* the result, a ssize_t, when above 0 */
#define AA_TLS_RESULT_FILE 5  /* the same; the bytes come from a file, not from memory */
#define AA_TLS_RESULT_SENT 6  /* nothing: what it sends, by calls of its own, was told when it was given */
#define AA_TLS_RESULT_MADE 7  /* nothing: when it is 0, *(void**) of the first argument is a new object */

#define AA_TLS_FUNCTIONS(X)                                                  \
  X(SSL_READ, read, "SSL_read", RECV, INT)                                   \
  X(SSL_WRITE, write, "SSL_write", SEND, INT)                                \
  X(SSL_READ_EX, read_ex, "SSL_read_ex", RECV, OUT4)                         \
  X(SSL_WRITE_EX, write_ex, "SSL_write_ex", SEND, OUT4)                      \
  X(SSL_WRITE_EX2, write_ex2, "SSL_write_ex2", SEND, OUT5)                   \
  X(SSL_READ_EARLY, read0, "SSL_read_early_data", RECV, EARLY)               \
  X(SSL_WRITE_EARLY, write0, "SSL_write_early_data", SEND, OUT4)             \
  X(SSL_SENDFILE, sendfile, "SSL_sendfile", SEND, FILE)                      \
  X(GNUTLS_SEND2, g_send2, "gnutls_record_send2", SEND, LONG)                \
  X(GNUTLS_RECV, g_recv, "gnutls_record_recv", RECV, LONG)                   \
  X(GNUTLS_RECV_SEQ, g_recv2, "gnutls_record_recv_seq", RECV, LONG)          \
  X(GNUTLS_RECV_EARLY, g_recv0, "gnutls_record_recv_early_data", RECV, LONG) \
  X(GNUTLS_SEND_RANGE, g_range, "gnutls_record_send_range", SEND, LONG)      \
  X(GNUTLS_UNCORK, g_uncork, "gnutls_record_uncork", SEND, SENT)             \
  X(BIO_READ, b_read, "BIO_f_ssl.read", RECV, OUT4)                          \
  X(BIO_WRITE, b_write, "BIO_f_ssl.write", SEND, OUT4)                       \
  X(BIO_WRITE2, b_write2, "BIO_f_ssl.write", SEND, OUT5)                     \
  X(GNUTLS_INIT, g_init, "gnutls_init", RECV, MADE)

enum aa_tls_function {
#define AA_TLS_ID(id, short, name, direction, result) AA_TLS_##id,
  AA_TLS_FUNCTIONS(AA_TLS_ID)
#undef AA_TLS_ID
      AA_TLS_FUNCTION_COUNT
};

/* Where a place in a function is probed, the stack may have grown since its first byte, by so many bytes; and a place
 * may be shared with functions that nobody probes. */
#define AA_TLS_SHARED 0x80000000u
#define AA_TLS_COOKIE(row, depth) ((row) | (depth) << 8)
#define AA_TLS_COOKIE_ROW(cookie) ((cookie)&0xff)
#define AA_TLS_COOKIE_DEPTH(cookie) (((cookie) & ~AA_TLS_SHARED) >> 8)

/* The upper half of every cookie: how often the file was rewritten and read again, for in between nobody listened. */
#define AA_TLS_COOKIE_LISTENING(cookie) ((__u32)((cookie) >> 32))

/* An object's life: the cookie of the life programs, beside those above. */
#define AA_TLS_LIFE_FREE 0
#define AA_TLS_LIFE_CLEAR 1
#define AA_TLS_LIFE_UP_REF 2
#define AA_TLS_LIFE_FD 4    /* its second argument is the descriptor it will use */
#define AA_TLS_LIFE_BEGIN 3 /* the first thing that an object does, or one that it does again */

#endif
