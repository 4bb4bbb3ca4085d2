"""TLS: libraries that are rewritten in place while they are listened to, once or again and again."""

import os
import shutil
import subprocess
import unittest

from harness import wait_until, watch
from kernel_case import Account
from tls_case import TlsCase, streams_of, told_by_connection

PYTHON = "/usr/bin/python3"
# One connection, made with the first request; asks once for each line that it is given.
TALKER = """
import http.client, ssl, sys
link = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=ssl._create_unverified_context())
for line in sys.stdin:
    link.request("GET", "/10")
    link.getresponse().read()
    print("said", flush=True)
"""


class Rewritten(TlsCase):
    def talker(self, folder):
        """A watched client with the libraries of that folder."""
        script = self.folder / "talker.py"
        script.write_text(TALKER)
        client = watch(self.daemon, [PYTHON, script, str(self.server.port)], selector={"types": list(self.types)}, options={"tls": "full"},
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "LD_LIBRARY_PATH": str(folder)})
        self.addCleanup(client.close)
        client.go()
        wait_until(lambda: self.explain(client.pid).get(str(folder / "libssl.so.3"), ("",))[0] == "attached", "it is listened to")
        return client

    def say(self, *clients):
        """Each asks once, and has its answer."""
        for client in clients:
            client.process.stdin.write(b"\n")
            client.process.stdin.flush()
            self.assertEqual(b"said\n", client.process.stdout.readline())

    def account(self, client):
        """Of all that it said."""
        client.process.stdin.close()
        client.process.stdout.close()
        return Account(client.finish())

    def rewrite(self, path):
        """One byte, in place, with what was there; returns when it is listened to again."""
        states = self.daemon.subscribe(types=["probe"])
        self.addCleanup(states.close)
        def told(state):
            states.wait_for(lambda event: event["type"] == "probe" and event["probe"]["hook"].endswith(f":{path}") and event["probe"]["state"] == state)
        with path.open("r+b") as file:
            file.write(b"\x7f")
            file.flush()
            told("degraded")
        told("attached")

    def test_others(self):
        """tls: a library that is rewritten in place has its own conversations told as others from there on, and nobody else's"""
        folders = [self.copy_of_libssl(name) for name in ("rewritten", "other")]
        clients = [self.talker(folder) for folder in folders]
        self.say(*clients)
        self.rewrite(folders[0] / "libssl.so.3")
        self.say(*clients)
        cut, whole = (self.account(client) for client in clients)
        self.assertEqual([True, False], [told["send"][0]["from_start"] for _, told in sorted(told_by_connection(cut).items())])
        self.assertEqual(1, len(streams_of(whole)), "it was cut")
        self.assertEqual({True}, {event["tls"]["from_start"] for event in whole.of_type("tls")})


del TlsCase

if __name__ == "__main__":
    unittest.main()
