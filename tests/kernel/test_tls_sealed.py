"""TLS: listening does not kill programs that may do nearly nothing: on every kernel that a guest has."""

import unittest

from kernel_case import QUICK
from tls_case import TlsCase, streams_of
from tls_server import CERTIFICATE

ROUNDS = 200 if QUICK else 1000
SIZE, WARM = 1000, 20  # as sealed_tls.c has them


class Sealed(TlsCase):
    """Programs under seccomp: a system call too many is their death."""

    without = ("file",)
    settings = {"tls.call_kib": 2048}

    def talk_sealed(self, way):
        account, said = self.watched("sealed_tls", CERTIFICATE, way, ROUNDS, options={"tls": "full"}, deadline=60)
        self.assertEqual((0, "ok\n"), (self.last.status, said), "watched, it fails")
        sent = b"".join(bytes(ord("a") + (r + i) % 26 for i in range(SIZE)) for r in range(WARM + ROUNDS))
        streams = list(streams_of(account).values())
        self.assertEqual(2, len(streams))
        for stream in streams:
            self.assertTrue(stream == {"send": sent, "recv": sent}, {name: len(one) for name, one in stream.items()})

    def test_none(self):
        """tls: both ends of a connection in one process are two connections, exact"""
        self.talk_sealed("none")

    def test_strict(self):
        """tls: a program in seccomp's strict mode survives, and is exact"""
        self.talk_sealed("strict")

    def test_filter(self):
        """tls: a program under a filter that kills survives, and is exact"""
        self.talk_sealed("filter")


del TlsCase

if __name__ == "__main__":
    unittest.main()
