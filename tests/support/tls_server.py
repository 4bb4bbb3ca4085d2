"""A TLS server on loopback that notes, for each connection, every byte it read and wrote: what events must agree with.

Comes in: HTTP/1.1 requests; `GET /N` is answered with N bytes, `GET /after-N` N seconds later, all else with `ok`. Goes out: `conversations`,
a list of (received, sent) bytes, complete once a connection is closed.
"""

import contextlib
import pathlib
import random
import socketserver
import ssl
import threading
import time

from deadline import wait_until

# For localhost and nothing else, with its key: made once, so that a test needs no openssl.
CERTIFICATE = pathlib.Path(__file__).with_name("localhost.pem")


def some_bytes(count):
    """Always the same, of every value."""
    return random.Random(count).randbytes(count)


class Noted:
    """A TLS socket that remembers what went through it."""

    def __init__(self, socket):
        self._socket = socket
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
        try:
            connection = self.server.context.wrap_socket(self.request, server_side=True)
        except OSError:
            return
        noted = Noted(connection)
        try:
            while self.answer(noted):
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
        noted.read(int(headers.get("content-length", 0)))
        method, path, _ = request.split()
        if path.startswith("/after-"):
            time.sleep(int(path.removeprefix("/after-")))
        body = some_bytes(int(path[1:])) if method == "GET" and path[1:].isdigit() else b"ok"
        noted.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return headers.get("connection", "").lower() != "close"


class TlsServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(CERTIFICATE)
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
