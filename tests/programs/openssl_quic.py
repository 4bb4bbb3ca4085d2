#!/usr/bin/python3
"""openssl_quic.py CERTIFICATE: both ends of a QUIC connection, over loopback, by OpenSSL 3.5 or later: a thread each.

The client asks over the connection's own stream and over one more; the server answers with the same bytes in capitals.
Prints `quic N`: how many streams were answered; `none` where this libssl knows no servers of QUIC.
"""

import ctypes
import socket
import sys
import threading

from openssl_calls import load

PROTOCOL = b"\4test"  # ALPN's list of one, without which QUIC does not begin
PEM, FINISHED = 1, 0
ASKED = (b"hello over quic" * 100, b"and once more" * 10)

library = load()
POINTERS = ("OSSL_QUIC_server_method", "OSSL_QUIC_client_method", "SSL_CTX_new", "SSL_new", "SSL_new_listener",
            "SSL_accept_connection", "SSL_accept_stream", "SSL_new_stream")
CHOOSE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_ubyte),
                          ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p)


def call(name, *arguments):
    return getattr(library, name)(*(ctypes.c_void_p(one) if isinstance(one, int) and one > 1 << 31 else one for one in arguments))


def good(name, *arguments):
    result = call(name, *arguments)
    if not result or (name not in POINTERS and result != 1):
        sys.exit(name)
    return result


@CHOOSE
def choose(_, out, length, offered, __, ___):
    out[0] = offered + 1
    length[0] = PROTOCOL[0]
    return 0


def send(stream, data):
    moved = ctypes.c_size_t()
    good("SSL_write_ex", stream, data, ctypes.c_size_t(len(data)), ctypes.byref(moved))
    assert moved.value == len(data)


def receive(stream, count):
    got, piece, moved = b"", ctypes.create_string_buffer(count), ctypes.c_size_t()
    while len(got) < count:
        good("SSL_read_ex", stream, piece, ctypes.c_size_t(count - len(got)), ctypes.byref(moved))
        got += piece.raw[:moved.value]
    return got


def serve(listener):
    connection = good("SSL_accept_connection", listener, ctypes.c_uint64(0))
    good("SSL_set_default_stream_mode", connection, ctypes.c_uint32(0))  # streams are accepted, not guessed
    for asked in ASKED:
        stream = good("SSL_accept_stream", connection, ctypes.c_uint64(0))
        send(stream, receive(stream, len(asked)).upper())


def listen(certificate):
    context = good("SSL_CTX_new", good("OSSL_QUIC_server_method"))
    good("SSL_CTX_use_certificate_chain_file", context, certificate)
    good("SSL_CTX_use_PrivateKey_file", context, certificate, PEM)
    call("SSL_CTX_set_alpn_select_cb", context, choose, None)
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind(("127.0.0.1", 0))
    listener = good("SSL_new_listener", context, ctypes.c_uint64(0))
    good("SSL_set_fd", listener, link.fileno())
    good("SSL_listen", listener)
    return link, listener


def ask(address):
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.connect(address)
    connection = good("SSL_new", good("SSL_CTX_new", good("OSSL_QUIC_client_method")))
    good("SSL_set_default_stream_mode", connection, ctypes.c_uint32(0))
    good("SSL_set_fd", connection, link.fileno())
    call("SSL_set_alpn_protos", connection, PROTOCOL, ctypes.c_uint(len(PROTOCOL)))
    good("SSL_connect", connection)
    for asked in ASKED:
        stream = good("SSL_new_stream", connection, ctypes.c_uint64(0))
        send(stream, asked)
        assert receive(stream, len(asked)) == asked.upper()


def main():
    if not hasattr(library, "SSL_new_listener"):
        print("none")
        return
    for name in POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    link, listener = listen(sys.argv[1].encode())
    server = threading.Thread(target=serve, args=(listener,))
    server.start()
    ask(link.getsockname())
    server.join()
    print(f"quic {len(ASKED)}")


if __name__ == "__main__":
    main()
