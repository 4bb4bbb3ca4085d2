"""TLS: who is at a connection's other end, and how that is known."""

import re
import unittest

from tls_case import TlsCase, streams_of
from tls_server import TlsServer

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
