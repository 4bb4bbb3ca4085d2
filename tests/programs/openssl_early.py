#!/usr/bin/python3
"""openssl_early.py CERTIFICATE: both ends of two OpenSSL connections, through memory, the second of which begins with early data.

Prints `early N`: how many bytes of it the server took.
"""

import ctypes
import sys

from openssl_calls import load

MAX_EARLY, PEM = 4096, 1
TOOK, ALL = 1, 2  # what SSL_read_early_data says
EARLY, SOON, HELLO, WORLD = b"early" * 100, b"soon" * 10, b"hello", b"world"

library = load()
for name in ("BIO_new", "BIO_s_mem", "TLS_server_method", "SSL_get1_session"):
    getattr(library, name).restype = ctypes.c_void_p


def call(name, *arguments):
    return getattr(library, name)(*(ctypes.c_void_p(one) if isinstance(one, int) and one > 1 << 31 else one for one in arguments))


def good(name, *arguments):
    if call(name, *arguments) != 1:
        sys.exit(name)


def context(method, certificate=None):
    made = call("SSL_CTX_new", call(method))
    if certificate:
        good("SSL_CTX_use_certificate_chain_file", made, certificate)
        good("SSL_CTX_use_PrivateKey_file", made, certificate, PEM)
        good("SSL_CTX_set_max_early_data", made, MAX_EARLY)
    return made


def send(end, data, function="SSL_write_ex"):
    moved = ctypes.c_size_t()
    good(function, end, data, ctypes.c_size_t(len(data)), ctypes.byref(moved))
    assert moved.value == len(data)


def receive(end, count):
    moved = ctypes.c_size_t()
    good("SSL_read_ex", end, ctypes.create_string_buffer(count), ctypes.c_size_t(count), ctypes.byref(moved))
    assert moved.value == count


class Ends:
    def __init__(self, client, server, session):
        there, back = (call("BIO_new", call("BIO_s_mem")) for _ in range(2))
        self.client, self.server = call("SSL_new", client), call("SSL_new", server)
        for bio in (there, back):
            call("BIO_up_ref", bio)
        call("SSL_set_bio", self.client, back, there)
        call("SSL_set_bio", self.server, there, back)
        call("SSL_set_connect_state", self.client)
        call("SSL_set_accept_state", self.server)
        if session:
            good("SSL_set_session", self.client, session)

    def read_early(self):
        """Of the server: (what it says, how many bytes it took)."""
        moved = ctypes.c_size_t()
        said = call("SSL_read_early_data", self.server, ctypes.create_string_buffer(MAX_EARLY), ctypes.c_size_t(MAX_EARLY),
                    ctypes.byref(moved))
        return said, moved.value

    def talk_early(self):
        send(self.client, EARLY, "SSL_write_early_data")
        said, took = self.read_early()
        if said != TOOK:
            sys.exit(f"no early data: {said}")
        send(self.server, SOON, "SSL_write_early_data")
        good("SSL_do_handshake", self.client)
        receive(self.client, len(SOON))
        assert self.read_early() == (ALL, 0)
        return took

    def shake_hands(self):
        for _ in range(20):
            if [call("SSL_do_handshake", end) for end in (self.client, self.server)] == [1, 1]:
                return
        sys.exit("no handshake")

    def talk(self):
        """What another connection can go on from."""
        self.shake_hands()
        send(self.client, HELLO)
        receive(self.server, len(HELLO))
        send(self.server, WORLD)
        receive(self.client, len(WORLD))
        session = call("SSL_get1_session", self.client)
        for end in (self.client, self.server):
            call("SSL_shutdown", end)  # else the session is none to go on from
            call("SSL_free", end)
        return session


def main():
    client, server = context("TLS_client_method"), context("TLS_server_method", sys.argv[1].encode())
    session = Ends(client, server, None).talk()
    ends = Ends(client, server, session)
    print(f"early {ends.talk_early()}")
    ends.talk()


if __name__ == "__main__":
    main()
