#!/usr/bin/python3
"""gnutls_early.py CERTIFICATE: both ends of two GnuTLS connections, the second of which begins with early data.

Prints `early N`: how many bytes of it the server took.
"""

import ctypes
import os
import socket
import sys
import threading

SERVER, CLIENT, NO_SIGNAL, ENABLE_EARLY_DATA = 1, 1 << 1, 1 << 6, 1 << 20
CERTIFICATES, PEM, AGAIN = 1, 1, -28
EARLY, HELLO, WORLD = b"early" * 100, b"hello", b"world"


class Datum(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_uint))


library = ctypes.CDLL("libgnutls.so.30")
for name, result in (("send", ctypes.c_ssize_t), ("recv", ctypes.c_ssize_t), ("recv_early_data", ctypes.c_ssize_t),
                     ("send_early_data", ctypes.c_int)):
    function = getattr(library, f"gnutls_record_{name}")
    function.restype, function.argtypes = result, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)


def good(result, what):
    if result < 0:
        print(f"{what}: {result}", flush=True)
        os._exit(1)  # from a thread too
    return result


def session(flags, link, credentials):
    made = ctypes.c_void_p()
    good(library.gnutls_init(ctypes.byref(made), flags | NO_SIGNAL), "init")
    good(library.gnutls_set_default_priority(made), "priority")
    good(library.gnutls_credentials_set(made, CERTIFICATES, credentials), "credentials")
    library.gnutls_transport_set_int2(made, link.fileno(), link.fileno())
    return made


def tried(call, *arguments):
    """Until something came that is no ticket and no early data."""
    while (result := call(*arguments)) == AGAIN:
        pass
    return good(result, call.__name__)


def receive(made, size):
    tried(library.gnutls_record_recv, made, ctypes.create_string_buffer(size), size)


class Server:
    def __init__(self, certificate):
        self.credentials = ctypes.c_void_p()
        good(library.gnutls_certificate_allocate_credentials(ctypes.byref(self.credentials)), "credentials")
        good(library.gnutls_certificate_set_x509_key_file(self.credentials, certificate, certificate, PEM), "certificate")
        self.key = Datum()
        good(library.gnutls_session_ticket_key_generate(ctypes.byref(self.key)), "ticket key")
        self.seen = ctypes.c_void_p()
        good(library.gnutls_anti_replay_init(ctypes.byref(self.seen)), "replays")
        self.add = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)(lambda *_: 0)
        library.gnutls_anti_replay_set_add_function(self.seen, self.add)
        self.early = 0

    def serve(self, link):
        made = session(SERVER | ENABLE_EARLY_DATA, link, self.credentials)
        good(library.gnutls_session_ticket_enable_server(made, ctypes.byref(self.key)), "tickets")
        library.gnutls_anti_replay_enable(made, self.seen)
        tried(library.gnutls_handshake, made)
        early = library.gnutls_record_recv_early_data(made, ctypes.create_string_buffer(4096), 4096)
        self.early += max(early, 0)
        receive(made, len(HELLO))
        good(library.gnutls_record_send(made, WORLD, len(WORLD)), "send")
        library.gnutls_deinit(made)


def ask(server, ticket=None):
    """One conversation; what another one can go on from."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=server.serve, args=(theirs,))
    thread.start()
    credentials = ctypes.c_void_p()
    good(library.gnutls_certificate_allocate_credentials(ctypes.byref(credentials)), "credentials")
    made = session(CLIENT, ours, credentials)
    if ticket is not None:
        good(library.gnutls_session_set_data(made, ctypes.c_void_p(ticket.data), ctypes.c_size_t(ticket.size)), "resume")
        good(library.gnutls_record_send_early_data(made, EARLY, len(EARLY)), "early data")
    tried(library.gnutls_handshake, made)
    good(library.gnutls_record_send(made, HELLO, len(HELLO)), "send")
    receive(made, len(WORLD))
    kept = Datum()
    good(library.gnutls_session_get_data2(made, ctypes.byref(kept)), "session data")
    thread.join()
    library.gnutls_deinit(made)
    return kept


def main():
    server = Server(sys.argv[1].encode())
    ask(server, ask(server))
    print(f"early {server.early}")
    return 0 if server.early else 1


if __name__ == "__main__":
    sys.exit(main())
