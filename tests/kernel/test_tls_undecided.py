"""TLS: what the redactor holds back, because nobody knows yet whether it is a secret, when its daemon ends."""

import signal
import struct
import subprocess
import unittest

from harness import wait_until
from kernel_case import read_lines
from test_runtime import RuntimeCase
from tls_case import data_of
from tls_server import TlsServer

PYTHON = "/usr/bin/python3"
# A URL's beginning, one byte at a time: until its end or an '@' comes, all of it may be a password.
CLIENT = """
import socket, ssl, sys, time
context = ssl._create_unverified_context()
link = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
print("up", flush=True)
sys.stdin.readline()
link.sendall(b"PUT / HTTP/1.1\\r\\nContent-Length: 1000000\\r\\n\\r\\n")
for piece in ("see ", "https://me:", *200 * "x"):
    link.sendall(piece.encode())
    time.sleep(0.05)
"""
HELD_BACK = "64sQQQ"  # Daemon::HeldBack


class Undecided(RuntimeCase):
    def setUp(self):
        super().setUp()
        self.server = TlsServer()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.events = self.folder / "events.jsonl"

    def daemon(self, **settings):
        return super().daemon(**{"jsonl.path": self.events, "families.file": "off"}, **settings)

    def bytes_held(self):
        return struct.unpack(HELD_BACK, (self.folder / "undecided").read_bytes())[1]

    def talk(self, daemon):
        """A conversation of which something is undecided."""
        client = subprocess.Popen([PYTHON, "-c", CLIENT, str(self.server.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        self.addCleanup(client.stdout.close)
        client.stdout.readline()
        self.assertEqual(0, self.bytes_held())
        daemon.start(client.pid)
        client.stdin.write(b"\n")
        client.stdin.close()
        wait_until(lambda: self.bytes_held() > 20, "something is held back")

    def undecided(self):
        return [event["loss"] for event in read_lines(self.events) if event["type"] == "loss" and event["loss"]["cause"] == "undecided"]

    def test_killed(self):
        """undecided: what a killed daemon held back is told as a loss by the next, once"""
        daemon = self.daemon()
        self.addCleanup(daemon.kill)
        self.talk(daemon)
        daemon.process.send_signal(signal.SIGSTOP)  # so that the number stands still
        held = self.bytes_held()
        daemon.kill()
        self.events.unlink()  # its last line may be half a one
        with self.daemon() as again:
            self.assertEqual(held, again.counters()["tls.undecided"])
        [loss] = self.undecided()
        self.assertEqual(("tls", held), (loss["family"], loss["count"]))
        self.assertLess(0, loss["first_boot_ns"])
        self.assertLessEqual(loss["first_boot_ns"], loss["last_boot_ns"])
        with self.daemon() as third:
            self.assertNotIn("tls.undecided", third.counters())

    def test_stopped(self):
        """undecided: at its normal end a daemon tells what it held back, without what may be a secret"""
        daemon = self.daemon()
        self.addCleanup(daemon.kill)
        self.talk(daemon)
        daemon.stop()
        sent = [event["tls"] for event in read_lines(self.events) if event["type"] == "tls" and event["tls"]["direction"] == "send"]
        told = b"".join(data_of(body) for body in sent)
        self.assertEqual(len(told), sum(body["length"] for body in sent))
        self.assertTrue(told.rstrip(b"*").endswith(b"https://me:"), told)
        self.assertGreater(told.count(b"*"), 5)
        self.assertEqual(0, self.bytes_held())
        with self.daemon() as again:
            self.assertNotIn("tls.undecided", again.counters())
        self.assertEqual([], self.undecided())

    def test_another_boot(self):
        """undecided: what was held back in another boot is not this one's loss"""
        self.folder.joinpath("undecided").write_bytes(struct.pack(HELD_BACK, b"another", 7, 1, 2))
        with self.daemon() as daemon:
            self.assertNotIn("tls.undecided", daemon.counters())
        self.assertEqual(0, self.bytes_held())


del RuntimeCase

if __name__ == "__main__":
    unittest.main()
