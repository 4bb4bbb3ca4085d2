/* Both ends of a TLS connection in one process, through memory. libssl is found when it runs: its headers are not
 * needed. */
#ifndef AA_TESTS_TLS_PAIR_H
#define AA_TESTS_TLS_PAIR_H

#include <dlfcn.h>

#include "say.h"

typedef void* (*maker)(void*);
typedef int (*mover)(void*, void*, int);
typedef int (*mover_ex)(void*, void*, size_t, size_t*);

static void* library;

static void* symbol(const char* name) {
  void* found = dlsym(library, name);
  if (!found) fail(name);
  return found;
}

static void* made(const char* name, void* of) {
  return ((maker)symbol(name))(of);
}

static void* context(const char* method, const char* certificate) {
  int (*load)(void*, const char*) = (int (*)(void*, const char*))symbol("SSL_CTX_use_certificate_chain_file");
  int (*key)(void*, const char*, int) = (int (*)(void*, const char*, int))symbol("SSL_CTX_use_PrivateKey_file");
  void* context = made("SSL_CTX_new", made(method, NULL));
  if (certificate && (load(context, certificate) != 1 || key(context, certificate, 1) != 1))
    fail("load the certificate");
  return context;
}

__attribute__((unused)) static void shake_hands(void* client, void* server) {
  int (*shake)(void*) = (int (*)(void*))symbol("SSL_do_handshake");
  for (int i = 0; i < 20; i++) {
    int one = shake(client), other = shake(server);
    if (one == 1 && other == 1) return;
  }
  fail("shake hands");
}

static void open_library(void) {
  library = dlopen("libssl.so.3", RTLD_NOW | RTLD_GLOBAL);
  if (!library) library = dlopen("libssl.so.1.1", RTLD_NOW | RTLD_GLOBAL);
  if (!library) fail("find libssl");
}

__attribute__((unused)) static void pair(void** client, void** server, const char* certificate) {
  void (*set)(void*, void*, void*) = (void (*)(void*, void*, void*))symbol("SSL_set_bio");
  int (*keep)(void*) = (int (*)(void*))symbol("BIO_up_ref");
  void* memory = made("BIO_s_mem", NULL);
  void *there = made("BIO_new", memory), *back = made("BIO_new", memory);
  *client = made("SSL_new", context("TLS_client_method", NULL));
  *server = made("SSL_new", context("TLS_server_method", certificate));
  keep(there);
  keep(back);
  set(*client, back, there);
  set(*server, there, back);
  ((void (*)(void*))symbol("SSL_set_connect_state"))(*client);
  ((void (*)(void*))symbol("SSL_set_accept_state"))(*server);
  shake_hands(*client, *server);
}

#endif
