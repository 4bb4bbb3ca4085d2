"""TLS: who is at a connection's other end, and how that is known."""

import contextlib
import re
import socket
import ssl
import threading
import unittest

from harness import kernel_since
from tls_case import TlsCase, streams_of
from tls_server import CERTIFICATE, TlsServer

PYTHON = "/usr/bin/python3"

CLIENT = """
import http.client, ssl, sys
link = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=ssl._create_unverified_context())
for size in (1, 2, 3):
    link.request("GET", f"/{size}")
    assert len(link.getresponse().read()) == size
link.close()
"""
CONNECTED_LATER_CLIENT = """
import socket, ssl, sys
link = ssl._create_unverified_context().wrap_socket(socket.socket())
link.connect(("127.0.0.1", int(sys.argv[1])))
link.sendall(b"GET /10 HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n")
while link.recv(1000): pass
"""
TWO_SERVERS_CLIENT = """
import asyncio, ssl, sys
async def talk(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ssl._create_unverified_context())
    for number in range(1, 31):
        writer.write(f"GET /{number} HTTP/1.1\\r\\nX-Port: {port}\\r\\n\\r\\n".encode())
        await reader.readuntil(b"\\r\\n\\r\\n")
        await reader.readexactly(number)
    writer.close()
async def main():
    await asyncio.gather(*(talk(int(port)) for _ in range(3) for port in sys.argv[1:3]))
asyncio.run(main())
"""

# Speaks over a local socket, and over an ordinary connection in between.
BESIDE_CLIENT = """
import socket, ssl, sys
local = socket.socket(socket.AF_UNIX)
local.connect(sys.argv[1])
link = ssl._create_unverified_context().wrap_socket(local)
other = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
for _ in range(3):
    link.sendall(b"ask")
    other.sendall(b"ask")
    other.recv(3)
    link.recv(3)
"""


class LocalServer:
    """Gives back what it gets, over TLS on a local socket, and as it is on a port."""

    def __init__(self, path):
        self.local, self.plain = socket.socket(socket.AF_UNIX), socket.create_server(("127.0.0.1", 0))
        self.local.bind(str(path))
        self.local.listen()
        self.port = self.plain.getsockname()[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        self.serve(self.local, lambda link: context.wrap_socket(link, server_side=True))
        self.serve(self.plain, lambda link: link)

    @staticmethod
    def serve(listener, wrap):
        def answer(link):
            with contextlib.suppress(OSError), wrap(link) as wrapped:
                while data := wrapped.recv(65536):
                    asks = data.startswith(b"GET")
                    wrapped.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" if asks else data)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def close(self):
        for listener in (self.local, self.plain):
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


class Peers(TlsCase):
    def written(self, text):
        path = self.folder / "client.py"
        path.write_text(text)
        return path

    def test_descriptor(self):
        """tls: the peer of a connection whose library was given a socket is that socket's"""
        account = self.talk(PYTHON, self.written(CLIENT), self.server.port)
        self.assert_exact(account, 1)
        self.assert_peers(account, "descriptor")

    def test_call(self):
        """tls: the peer of a connection whose program does the library's input and output is the socket's that its calls use"""
        request = self.folder / "request"
        request.write_text("GET /1000 HTTP/1.1\r\nConnection: close\r\n\r\n")
        with request.open() as stdin:
            account = self.talk(self.needs("/usr/bin/openssl"), "s_client", "-quiet", "-connect", f"127.0.0.1:{self.server.port}",
                                stdin=stdin)
        self.assert_exact(account, 1)
        self.assert_peers(account, "call")

    def test_connected_later(self):
        """tls: of a socket that was given to the library before it was connected the peer is the one it has then"""
        account = self.talk(PYTHON, self.written(CONNECTED_LATER_CLIENT), self.server.port)
        self.assert_exact(account, 1)
        self.assert_peers(account, "call")

    def local_server(self):
        path = self.folder / "local"
        server = LocalServer(path)
        self.addCleanup(server.close)
        return path, server.port

    def assert_no_peer(self, account):
        self.assertTrue(account.of_type("tls"))
        self.assertEqual({None}, {event["tls"].get("peer") for event in account.of_type("tls")})

    def test_local(self):
        """tls: what is said over a local socket has no peer, whatever else its thread says"""
        path, port = self.local_server()
        self.assert_no_peer(self.talk(PYTHON, self.written(BESIDE_CLIENT), path, port))

    def test_local_call(self):
        """tls: nor has it one when the program does the library's input and output, where the kernel shows all sockets (6.3 and later)"""
        if not kernel_since(6, 3):
            self.skipTest("before 6.3 only TCP's sockets are seen")
        path, port = self.local_server()
        over = ("-sk", "--unix-socket", path)
        account = self.talk(self.needs("/usr/bin/curl"), *over, "https://h/a", "--next", "-s", f"http://127.0.0.1:{port}/", "--next",
                            *over, "https://h/b")
        self.assert_no_peer(account)

    def test_thread(self):
        """tls: connections to two servers, in turns on one thread, each have their own server as their peer"""
        other = TlsServer()
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        script = self.written(TWO_SERVERS_CLIENT)
        account = self.talk(PYTHON, script, self.server.port, other.port)
        streams, known = streams_of(account), 0
        self.assertEqual(6, len(streams))
        for event in account.of_type("tls"):
            [port] = re.findall(rb"X-Port: (\d+)", streams[event["process"]["id"], event["tls"]["connection"]]["send"])[:1]
            if "peer" in event["tls"]:
                self.assertEqual("127.0.0.1:" + port.decode(), event["tls"]["peer"])
                known += 1
        self.assertLessEqual(len(account.of_type("tls")) - known, 6)
        self.server.take(3)


del TlsCase

if __name__ == "__main__":
    unittest.main()
