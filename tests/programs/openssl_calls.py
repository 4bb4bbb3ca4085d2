#!/usr/bin/python3
"""openssl_calls.py PORT WAY FOLDER: libssl's own calls, as programs in C make them, on one connection to 127.0.0.1.

It maps libssl only now, and sends 1 MiB and fetches 1 MiB. WAY: `plain`; `peek`: each read is looked at before, and more
than once; `partial`: a socket that is soon full, partial writes that are tried again; `cold`: what is sent lies in a mapped
file that nobody has touched; `bio`: through a BIO that does TLS by itself, with one before it that buffers; `small-N`: N
requests of a few bytes first. Instead of that: `clear`: one request, and another on a second connection by the same object,
cleared; `forked`: the second one by a fork; `forked_kept`: so, and one of two who hold it frees it there; `reuse`: one by each of some objects, until one lies where the one that was freed just before did, and one by that;
`kept`: both on the same connection, of which somebody who held it too let go between them; `crowd-N`: one before, one while and
one after N threads wait in a read each; `many-N`: one on each of N connections that are all open.
"""

import ctypes
import os
import select
import socket
import sys
import threading
import time

BIG = 1 << 20
WANT_READ, WANT_WRITE = 2, 3
CTRL_MODE, PARTIAL_WRITE, MOVING_BUFFER = 33, 1, 2
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: "  # what every answer begins with: a call for each byte would be more than a reader follows
BIO_FLUSH, BIO_SET_CONNECT, BIO_HANDSHAKE = 11, 100, 101


def load():
    for name in ("libssl.so.3", "libssl.so.1.1"):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        for function in ("TLS_client_method", "SSL_CTX_new", "SSL_new", "BIO_new_buffer_ssl_connect"):
            getattr(library, function).restype = ctypes.c_void_p
        return library
    sys.exit("no libssl")


class Link:
    def __init__(self, library, port):
        self.library = library
        self.context = ctypes.c_void_p(library.SSL_CTX_new(ctypes.c_void_p(library.TLS_client_method())))
        self.ssl = self.made()
        self.connect(port)

    def made(self):
        return ctypes.c_void_p(self.library.SSL_new(self.context))

    def connect(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.library.SSL_set_fd(self.ssl, self.socket.fileno())
        if self.library.SSL_connect(self.ssl) != 1:
            sys.exit("no handshake")

    def clear(self):
        self.library.SSL_shutdown(self.ssl)
        assert self.library.SSL_clear(self.ssl) == 1
        self.socket.close()

    def make_anew(self):
        """Whether the new object lies where the one that was freed did."""
        address = self.ssl.value
        self.end()
        self.socket.close()
        self.ssl = self.made()
        return self.ssl.value == address

    def tried(self, call, *arguments):
        """The call's result, once it has one."""
        while True:
            result = call(self.ssl, *arguments)
            if result > 0:
                return result
            error = self.library.SSL_get_error(self.ssl, result)
            if error == WANT_WRITE:
                select.select([], [self.socket], [])
            elif error == WANT_READ:
                select.select([self.socket], [], [])
            else:
                sys.exit(f"error {error}")

    def send(self, address, count):
        while count:
            sent = self.tried(self.library.SSL_write, ctypes.c_void_p(address), count)
            address, count = address + sent, count - sent

    def send_bytes(self, data):
        held = ctypes.create_string_buffer(data, len(data))
        self.send(ctypes.addressof(held), len(data))

    def receive(self, count, peek=False):
        held = ctypes.create_string_buffer(count)
        got = b""
        while len(got) < count:
            if peek:
                for length in (1, 10, count - len(got)):
                    self.tried(self.library.SSL_peek, held, min(length, count - len(got)))
            read = self.tried(self.library.SSL_read, held, count - len(got))
            got += held.raw[:read]
        return got

    def answer(self, peek=False):
        """The body of one answer."""
        head = self.receive(len(HEAD))
        while not head.endswith(b"\r\n\r\n"):
            head += self.receive(1)
        length = int(head.split(b"Content-Length: ")[1].split(b"\r")[0])
        return self.receive(length, peek)

    def end(self):
        self.library.SSL_shutdown(self.ssl)
        self.library.SSL_free(self.ssl)


class BioLink(Link):
    def __init__(self, library, port):
        self.library = library
        context = ctypes.c_void_p(library.SSL_CTX_new(ctypes.c_void_p(library.TLS_client_method())))
        self.bio = ctypes.c_void_p(library.BIO_new_buffer_ssl_connect(context))
        self.control(BIO_SET_CONNECT, f"127.0.0.1:{port}".encode())
        if self.control(BIO_HANDSHAKE) != 1:
            sys.exit("no handshake")

    def control(self, what, argument=None):
        return self.library.BIO_ctrl(self.bio, what, ctypes.c_long(0), argument)

    def send(self, address, count):
        while count:
            sent = self.library.BIO_write(self.bio, ctypes.c_void_p(address), count)
            assert sent > 0
            address, count = address + sent, count - sent
        assert self.control(BIO_FLUSH) == 1

    def receive(self, count, peek=False):
        held, got = ctypes.create_string_buffer(count), b""
        while len(got) < count:
            read = self.library.BIO_read(self.bio, held, count - len(got))
            assert read > 0
            got += held.raw[:read]
        return got

    def end(self):
        self.library.BIO_ssl_shutdown(self.bio)
        self.library.BIO_free_all(self.bio)


def cold_address(folder):
    """Where the kernel has mapped a file of BIG bytes, none of which is in memory."""
    path = os.path.join(folder, "cold")
    with open(path, "wb") as file:
        file.write(b"cold" * (BIG // 4))
        os.fsync(file.fileno())
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
        return libc.mmap(None, BIG, 1, 2, file.fileno(), 0)  # PROT_READ, MAP_PRIVATE


def ask(link, size):
    link.send_bytes(f"GET /{size} HTTP/1.1\r\n\r\n".encode())
    assert len(link.answer()) == size


def live_on(link, port, way):
    """Requests, between which something happens to the object."""
    ask(link, 3)
    if way in ("kept", "forked_kept"):
        assert link.library.SSL_up_ref(link.ssl) == 1
    if way == "kept":
        link.library.SSL_free(link.ssl)
    elif way in ("clear", "forked", "forked_kept"):
        child = os.fork() if way != "clear" else 0
        if child:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        link.clear()
        link.connect(port)
        if way == "forked_kept":
            ask(link, 4)
            link.library.SSL_free(link.ssl)
    else:
        for _ in range(100):
            is_reused = link.make_anew()
            link.connect(port)
            ask(link, 4)
            if is_reused:
                break
        else:
            sys.exit("no address is used again")
    ask(link, 5)
    link.end()


def wait(link):
    link.send_bytes(b"GET /after-3 HTTP/1.1\r\n\r\n")
    assert link.answer() == b"ok"


def crowd(library, port, count):
    link, others = Link(library, port), [Link(library, port) for _ in range(count)]
    ask(link, 10)
    waiting = [threading.Thread(target=wait, args=(other,)) for other in others]
    for thread in waiting:
        thread.start()
    time.sleep(1)
    ask(link, 20)
    for thread in waiting:
        thread.join()
    ask(link, 30)
    for other in (link, *others):
        other.end()


def many(library, port, count):
    links = [Link(library, port) for _ in range(count)]
    for number, link in enumerate(links, 1):
        ask(link, number)
    for link in links:
        link.end()


def main():
    port, way, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    name, _, count = way.partition("-")
    if name in ("crowd", "many"):
        return {"crowd": crowd, "many": many}[name](load(), port, int(count))
    if way in ("clear", "forked", "forked_kept", "reuse", "kept"):
        return live_on(Link(load(), port), port, way)
    link = (BioLink if way == "bio" else Link)(load(), port)
    for size in range(int(way.removeprefix("small-")) if way.startswith("small-") else 0):
        ask(link, size % 50 + 1)
    if way == "partial":
        link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        link.socket.setblocking(False)
        link.library.SSL_ctrl(link.ssl, CTRL_MODE, PARTIAL_WRITE | MOVING_BUFFER, None)
    link.send_bytes(f"PUT / HTTP/1.1\r\nContent-Length: {BIG}\r\n\r\n".encode())
    if way == "cold":
        link.send(cold_address(folder), BIG)
    else:
        link.send_bytes(bytes(range(256)) * (BIG // 256))
    assert link.answer() == b"ok"
    link.send_bytes(f"GET /{BIG} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
    assert len(link.answer(peek=way == "peek")) == BIG
    link.end()


if __name__ == "__main__":
    main()
