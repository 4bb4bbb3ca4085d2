"""TLS: libssl's own calls in the ways that programs in C make them, and from where the library has another name."""

import pathlib
import subprocess
import unittest

from harness import program
from kernel_case import QUICK
from tls_case import TlsCase, streams_of
from tls_server import CERTIFICATE

PYTHON = "/usr/bin/python3"
PROGRAMS = pathlib.Path(__file__).resolve().parents[1] / "programs"
CALLS, EARLY, QUIC = (PROGRAMS / f"openssl_{name}.py" for name in ("calls", "early", "quic"))


class Calls(TlsCase):
    settings = {"tls.call_kib": 2048}

    def exact(self, way, *before, connections=1):
        def told():
            self.server.conversations.clear()
            account = self.talk(*before, PYTHON, CALLS, self.server.port, way, self.folder, deadline=60)
            self.assert_exact(account, connections or len(streams_of(account)))
            return account

        account = self.unskipped("tls", told)
        self.assert_ledger()
        return account

    def test_plain(self):
        """tls: a program that maps libssl late and calls it itself is exact"""
        account = self.exact("plain")
        self.assertEqual({"SSL_read", "SSL_write"}, {event["tls"]["function"] for event in account.of_type("tls")})

    def test_small(self):
        """tls: a thousand small calls (a hundred without --full) are as many events"""
        calls = 100 if QUICK else 1000
        account = self.exact(f"small-{calls}")
        sent = [event["tls"]["length"] for event in account.of_type("tls") if event["tls"]["direction"] == "send"]
        self.assertEqual(calls + 2, sum(length < 100 for length in sent))  # and two more requests

    def test_peek(self):
        """tls: what is peeked at before it is read is told once"""
        self.exact("peek")

    def test_bio(self):
        """tls: a BIO that does TLS by itself is exact, though it calls nothing that libssl exports"""
        account = self.exact("bio")
        functions = {event["tls"]["function"] for event in account.of_type("tls")}
        self.assertEqual({"BIO_f_ssl.read", "BIO_f_ssl.write"}, functions)

    def test_partial(self):
        """tls: partial writes to a full socket, tried again and again, are told once, as they went"""
        account = self.exact("partial")
        writes = [event for event in account.of_type("tls") if event["tls"]["function"] == "SSL_write"]
        self.assertGreater(len(writes), 10, "nothing was partial: this proves nothing")

    def test_cold(self):
        """tls: what is sent out of a mapped file that nobody touched before is told"""
        self.exact("cold")

    def test_cleared(self):
        """tls: an object that is cleared and connected again is another connection, which counts from its own start"""
        self.exact("clear", connections=2)

    def test_reused(self):
        """tls: an object at the address of one that was freed is another connection"""
        self.exact("reuse", connections=None)

    def test_kept(self):
        """tls: an object that one of two who held it freed is the same connection"""
        self.exact("kept")

    def test_early(self):
        """tls: OpenSSL's early data, of the client and of the server, is told of both ends, as the first bytes of its connection"""
        def told():
            account, said = self.watched_path(PYTHON, EARLY, CERTIFICATE, options={"tls": "full"}, deadline=30)
            self.assertEqual((0, "early 500\n"), (self.last.status, said))
            asked = (b"hello", b"world")
            early = (b"early" * 100 + b"hello", b"soon" * 10 + b"world")
            streams = [(stream["send"], stream["recv"]) for stream in streams_of(account).values()]
            self.assertEqual(sorted([asked, asked[::-1], early, early[::-1]]), sorted(streams))

        self.unskipped("tls", told)

    def test_shared_object(self):
        """tls: an object that two threads read at once, as QUIC's may be, is told whole: each call, and none twice"""
        def told():
            account = self.talk(program("shared_tls"))
            [stream] = streams_of(account).values()
            self.assertEqual((5 * b"q" + 30 * b"w" + 6 * b"q" + 40 * b"w", b"end"), (stream["recv"], stream["send"]))

        self.talk(program("shared_tls"))  # it carries its library, which is met so
        self.unskipped("tls", told)

    def test_quic(self):
        """tls: of QUIC by OpenSSL each stream is a connection of its own, whole at both ends"""
        def told():
            account, said = self.watched_path(PYTHON, QUIC, CERTIFICATE, options={"tls": "full"}, deadline=60)
            if said == "none\n":
                self.skipTest("this libssl knows no servers of QUIC")
            self.assertEqual((0, "quic 2\n"), (self.last.status, said))
            asked = (b"hello over quic" * 100, b"and once more" * 10)
            said = [ends for one in asked for ends in ((one, one.upper()), (one.upper(), one))]
            self.assertEqual(sorted(said), sorted((stream["send"], stream["recv"]) for stream in streams_of(account).values()))

        self.unskipped("tls", told)

    def test_mount_namespace(self):
        """tls: in a mount namespace of its own"""
        self.exact("plain", "/usr/bin/unshare", "--mount")

    def test_chroot(self):
        """tls: in another root, where the library has another path"""
        root = self.folder / "root"
        root.mkdir()
        subprocess.run(["mount", "--rbind", "--make-rslave", "/", root], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", root], check=True)
        self.exact("plain", "/usr/sbin/chroot", root)


if __name__ == "__main__":
    unittest.main()
