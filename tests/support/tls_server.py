"""A TLS server on loopback that notes, for each connection, every byte it read and wrote: what events must agree with.

Comes in: HTTP/1.1 requests; `GET /N` is answered with N bytes, `GET /after-N` N seconds later, all else with `ok`. Goes out:
`conversations`, a list of (received, sent) bytes, complete once a connection is closed. With `git` it serves the repositories in that folder,
to clone from and to push to. With `http2` it speaks that alone: whatever is asked is answered with HTTP2_FIELDS and HTTP2_TEXT,
in gzip; a body of more than HTTP2_LONG bytes with as many, for which the client must have made its windows wide enough.
"""

import collections
import contextlib
import gzip
import os
import pathlib
import random
import socket
import socketserver
import ssl
import subprocess
import threading
import time

from deadline import wait_until

# For localhost and nothing else, with its key: made once, so that a test needs no openssl.
CERTIFICATE = pathlib.Path(__file__).with_name("localhost.pem")


def some_bytes(count):
    """Always the same, of every value."""
    return random.Random(count).randbytes(count)


HTTP2_FIELDS = {b"content-encoding": b"gzip", b"set-cookie": b"id=from-the-server"}
HTTP2_TEXT = b'{"answer":"forty-two","password":"of-the-server"}'
HTTP2_LONG = 1 << 16
DATA, HEADERS, SETTINGS, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
WINDOW, INITIAL_WINDOW_SIZE = 1 << 24, 4  # what any client may send before it is told more


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def header_block(fields):
    """Status 200 from HPACK's own table, and fields as they are."""
    return b"\x88" + b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields.items())


def frames_of(stream, data):
    """DATA frames as long as every client takes them; the last one ends the stream."""
    pieces = [data[at:at + 16384] for at in range(0, len(data), 16384)]
    return b"".join(frame(DATA, END_STREAM if at + 1 == len(pieces) else 0, stream, piece) for at, piece in enumerate(pieces))


def from_git(folder, method, path, headers, body):
    """What git's own program for web servers answers: (status, header lines, body)."""
    path, _, query = path.partition("?")
    said = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "GIT_PROTOCOL": headers.get("git-protocol", ""), "GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "me", "REMOTE_ADDR": "127.0.0.1"}
    out = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env={**os.environ, **said}, check=True).stdout
    head, _, body = out.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Status: ")]
    return next((line[8:] for line in head.split(b"\r\n") if line not in lines), b"200 OK"), lines, body


class Noted:
    """A TLS socket that remembers what went through it."""

    def __init__(self, link):
        self._socket = link
        self.received, self.sent = bytearray(), bytearray()
        self._ahead = b""

    def read_until(self, mark):
        while mark not in self._ahead:
            if not self._more():
                return b""
        head, _, self._ahead = self._ahead.partition(mark)
        return head + mark

    def read(self, count):
        while len(self._ahead) < count and self._more():
            pass
        body, self._ahead = self._ahead[:count], self._ahead[count:]
        return body

    def write(self, data):
        self._socket.sendall(data)
        self.sent += data

    def close(self):
        self._socket.close()

    def _more(self):
        try:
            data = self._socket.recv(1 << 16)
        except OSError:
            return False
        self.received += data
        self._ahead += data
        return bool(data)


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection = self.server.context.wrap_socket(self.request, server_side=True)
        except OSError:
            return
        noted = Noted(connection)
        self.bodies = collections.Counter()  # of HTTP/2's streams, so far
        answer = self.answer_http2 if self.server.http2 else self.answer
        try:
            if self.server.http2:
                noted.read(len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
                noted.write(frame(SETTINGS, 0, 0, INITIAL_WINDOW_SIZE.to_bytes(2, "big") + WINDOW.to_bytes(4, "big")))
                noted.write(frame(WINDOW_UPDATE, 0, 0, WINDOW.to_bytes(4, "big")))
            while answer(noted):
                pass
        except OSError:
            pass
        with self.server.lock:
            self.server.conversations.append((bytes(noted.received), bytes(noted.sent)))
        with contextlib.suppress(OSError):
            connection.unwrap()  # a proper end: some clients fail without
        connection.close()

    def answer(self, noted):
        head = noted.read_until(b"\r\n\r\n").decode()
        if not head:
            return False
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("expect") == "100-continue":
            noted.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        asked = self.chunks(noted) if "transfer-encoding" in headers else noted.read(int(headers.get("content-length", 0)))
        method, path, _ = request.split()
        if self.server.git:
            status, lines, body = from_git(self.server.git, method, path, headers, asked)
            noted.write(b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"Content-Length: %d\r\n\r\n" % len(body)]) + body)
            return True
        if path.startswith("/after-"):
            time.sleep(int(path.removeprefix("/after-")))
        body = some_bytes(int(path[1:])) if method == "GET" and path[1:].isdigit() else b"ok"
        noted.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return headers.get("connection", "").lower() != "close"

    def chunks(self, noted):
        """A body in chunks, put together."""
        whole = b""
        while True:
            chunk = noted.read(int(noted.read_until(b"\r\n"), 16))
            noted.read_until(b"\r\n")
            whole += chunk
            if not chunk:
                return whole

    def answer_http2(self, noted):
        head = noted.read(9)
        if len(head) < 9:
            return False
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        payload = noted.read(int.from_bytes(head[:3], "big"))
        if kind == DATA:
            self.bodies[stream] += len(payload)
        if kind == SETTINGS and not flags & ACK:
            noted.write(frame(SETTINGS, ACK, 0))
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            noted.write(frame(HEADERS, END_HEADERS, stream, header_block(HTTP2_FIELDS)))
            length = self.bodies.pop(stream, 0)
            noted.write(frames_of(stream, some_bytes(length) if length > HTTP2_LONG else gzip.compress(HTTP2_TEXT)))
        return kind != GOAWAY


class TlsServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, http2=False, git=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.http2, self.git = http2, git
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(CERTIFICATE)
        if http2:
            self.context.set_alpn_protocols(["h2"])
        self.lock = threading.Lock()
        self.conversations = []
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"https://127.0.0.1:{self.port}/{path}"

    def take(self, count, deadline=20):
        """The next `count` conversations, once they have ended."""
        wait_until(lambda: len(self.conversations) >= count, f"{count} TLS conversations have ended", deadline)
        with self.lock:
            taken, self.conversations = self.conversations, []
        return taken

    def handle_error(self, request, address):
        pass
