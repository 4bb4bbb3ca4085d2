"""TLS: real servers: nginx watched, and what its gzip and a WebSocket server's messages hold, without their secrets."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import unittest

from harness import wait_until, watch
from kernel_case import QUICK, Account
from tls_case import TlsCase, data_of, streams_of
from tls_server import CERTIFICATE, Noted

PYTHON = "/usr/bin/python3"
NGINX = "/usr/sbin/nginx"
SMALL = 100 if QUICK else 1000
BIG = 1 << 20
KEY = "sk-ant-api03-" + "Zq7" * 20

NGINX_CONFIG = """
daemon off;
user root;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  client_max_body_size 8m;
  gzip on;
  gzip_types application/json;
  gzip_min_length 1;
  types {{ application/json json; }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    keepalive_requests 100000;
    root {folder}/root;
    location /put/ {{ dav_methods PUT; }}
  }}
}}
"""
WEBSOCKET_CLIENT = """
import asyncio, json, ssl, sys, websockets
port, key = int(sys.argv[1]), sys.argv[2]
async def main():
    async with websockets.connect(f"wss://127.0.0.1:{port}/", ssl=ssl._create_unverified_context()) as link:
        for number in range(5):
            await link.send(json.dumps({"note": f"hello {number}", "key": key}))
            assert json.loads(await link.recv())["answer"] == "forty-two"
asyncio.run(main())
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


class Nginx(TlsCase):
    settings = {"tls.call_kib": 2048}

    def setUp(self):
        super().setUp()
        self.needs(NGINX)
        self.port = free_port()
        (self.folder / "root/put").mkdir(parents=True)
        (self.folder / "root/big").write_bytes(bytes(range(256)) * (BIG // 256))
        for size in range(1, 11):
            (self.folder / f"root/{size}").write_bytes(b"s" * size)
        (self.folder / "root/answer.json").write_text(json.dumps({"answer": "forty-two", "password": "of-the-server", "key": KEY}))
        self.config = self.folder / "nginx.conf"
        self.config.write_text(NGINX_CONFIG.format(folder=self.folder, port=self.port, certificate=CERTIFICATE))
        self.command = [NGINX, "-p", str(self.folder), "-c", str(self.config), "-e", str(self.folder / "error.log")]

    def conversation(self):
        """(received, sent) of a client that asks for small and large things, and sends something large."""
        link = Noted(ssl._create_unverified_context().wrap_socket(socket.create_connection(("127.0.0.1", self.port))))

        def ask(head, body=b""):
            link.write(f"{head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            lines = link.read_until(b"\r\n\r\n").lower().split(b"\r\n")
            [length] = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
            return len(link.read(length))

        for number in range(SMALL):
            self.assertEqual(number % 10 + 1, ask(f"GET /{number % 10 + 1}"))
        ask("PUT /put/it", b"u" * BIG)
        self.assertEqual(BIG, ask("GET /big"))
        self.assertEqual(BIG, (self.folder / "root/put/it").stat().st_size)
        link.close()
        return bytes(link.received), bytes(link.sent)

    def test_watched(self):
        """tls: nginx as a watched server, 1 MiB each way and many small requests, is exact"""
        with watch(self.daemon, self.command, options={"tls": "full"}, selector={"types": list(self.types)}) as server:
            server.go()
            wait_until(lambda: answers(self.port), "nginx answers")
            received, sent = self.conversation()
            os.kill(server.pid, signal.SIGQUIT)
            account = Account(server.finish(20))
        [stream] = [one for one in streams_of(account).values() if one["recv"]]
        self.assertEqual((len(sent), len(received)), (len(stream["recv"]), len(stream["send"])))
        self.assertTrue(stream == {"recv": sent, "send": received}, "the same lengths, but other bytes")
        self.assertEqual([], account.of_type("loss"))

    def test_gzip(self):
        """tls: what nginx packs with gzip is told at level redacted, without the secrets in it"""
        curl = self.needs("/usr/bin/curl")
        server = subprocess.Popen(self.command)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        wait_until(lambda: answers(self.port), "nginx answers")
        url = f"https://127.0.0.1:{self.port}/answer.json"
        account = self.talk(curl, "-sk", "--compressed", url, level="redacted")
        packed = b"".join(data_of(event["tls"]) for event in account.of_type("tls") if "gzip" in event["tls"].get("decoded", ()))
        self.assertIn(b'"answer": "forty-two"', packed)
        told = json.dumps(account.events)
        for secret in ("of-the-server", KEY[20:40]):
            self.assertNotIn(secret, told)


class Openssl(TlsCase):
    def test_www(self):
        """tls: openssl's own web server, which speaks through a BIO, is exact"""
        port = free_port()
        command = [self.needs("/usr/bin/openssl"), "s_server", "-quiet", "-www", "-accept", f"127.0.0.1:{port}",
                   "-cert", CERTIFICATE]
        with watch(self.daemon, command, options={"tls": "full"}, selector={"types": list(self.types)}) as server:
            server.go()
            wait_until(lambda: answers(port), "openssl answers")
            link = Noted(ssl._create_unverified_context().wrap_socket(socket.create_connection(("127.0.0.1", port))))
            link.write(b"GET / HTTP/1.0\r\n\r\n")
            link.read(1 << 20)
            os.kill(server.pid, signal.SIGTERM)
            account = Account(server.finish(20))
        [stream] = streams_of(account).values()
        self.assertGreater(len(link.received), 1000)
        self.assertEqual({"recv": bytes(link.sent), "send": bytes(link.received)}, stream)


class WebSocket(TlsCase):
    def serve(self):
        """The port of a server that runs until the test's end."""
        try:
            import websockets
        except ImportError:
            self.skipTest("there is no python3-websockets")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        loop = asyncio.new_event_loop()

        async def talk(link, *_):
            async for _ in link:
                await link.send(json.dumps({"answer": "forty-two", "password": "of-the-server", "key": KEY}))

        async def start():
            return await websockets.serve(talk, "127.0.0.1", 0, ssl=context)

        server = loop.run_until_complete(start())
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(loop.call_soon_threadsafe, loop.stop)
        return server.sockets[0].getsockname()[1]

    def test_messages(self):
        """tls: a WebSocket's messages, masked and packed, are told at level redacted, without the secrets in them"""
        port = self.serve()
        script = self.folder / "client.py"
        script.write_text(WEBSOCKET_CLIENT)
        account = self.talk(PYTHON, script, port, KEY, level="redacted")
        text = {"send": b"", "recv": b""}
        for event in account.of_type("tls"):
            if "websocket" in event["tls"].get("decoded", ()):
                text[event["tls"]["direction"]] += data_of(event["tls"])
        for number in range(5):
            self.assertIn(f'"note": "hello {number}"'.encode(), text["send"])
        self.assertEqual(5, text["recv"].count(b'"answer": "forty-two"'))
        told = json.dumps(account.events)
        for secret in ("of-the-server", KEY[20:40]):
            self.assertNotIn(secret, told)


del TlsCase

if __name__ == "__main__":
    unittest.main()
