"""TLS: what records take of the ring, and that none of them holds two connections' bytes."""

import collections
import os
import pathlib
import unittest

from harness import program, watch
from kernel_case import QUICK
from kernel_maps import maps_of, ring_bytes
from tls_case import DurableTlsCase, TlsCase, data_of
from tls_server import CERTIFICATE

PYTHON = "/usr/bin/python3"
CALLS = 50 if QUICK else 300
PROCESSORS = 10  # at most, with six threads on each: letters_tls has 64, one for each letter
LETTERS = 50  # calls of each thread: more than the file follows would be lost, and prove nothing
BIG = 1 << 20
SMALL, BESIDE_SMALL = 192, 80  # a call of up to so many bytes takes so many more of the ring
BESIDE_LONG = 1.25  # longer ones take so many times their length, all together
CONNECTION = 256  # for what is told of a connection beside its calls, at most

# As most agents talk: small requests and answers, 1 MiB up, 1 MiB down.
CLIENT = """
import http.client, ssl, sys
port, small, big = map(int, sys.argv[1:4])
link = http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context())
def ask(method, path, body=None):
    link.request(method, path, body)
    assert link.getresponse().read()
for i in range(small): ask("GET", f"/{i + 1}")
ask("PUT", "/", bytes(big))
ask("GET", f"/{big}")
link.close()
"""


def preemption():
    """How the kernel preempts, in the kernel's own words."""
    try:
        words = pathlib.Path("/sys/kernel/debug/sched/preempt").read_text().strip()
    except OSError:
        words = ""
    return words or os.uname().version


def asked_preemption():
    """What the kernel's command line asks for, as a row of the guests does; empty if nothing."""
    words = pathlib.Path("/proc/cmdline").read_text().split()
    return next((word.removeprefix("preempt=") for word in words if word.startswith("preempt=")), "")


class Ring(TlsCase):
    without = ("file",)
    settings = {"tls.call_kib": 2048}

    def taken(self):
        """Bytes of the ring, so far."""
        return ring_bytes(maps_of(self.daemon.pid)["aa_tls_ring"])

    def of_calls(self, size, count):
        before = self.taken()
        with watch(self.daemon, [program("sized_tls"), str(CERTIFICATE), str(size), str(count)], options={"tls": "full"},
                   selector={"types": ["target"]}) as client:
            client.run()
        self.assertEqual(0, client.status)
        return self.taken() - before

    def of_one_call(self, size):
        return (self.of_calls(size, 10 + CALLS) - self.of_calls(size, 10)) / (2 * CALLS)

    def test_small(self):
        """tls: a call of up to 192 bytes takes its length and at most 80 bytes of the ring"""
        for size in (1, 7, 96, 97, 191, SMALL):
            with self.subTest(size):
                self.assertLessEqual(self.of_one_call(size), size + BESIDE_SMALL)

    def test_longer(self):
        """tls: a longer call takes at most half as much again, beside what a small one takes"""
        for size in (SMALL + 1, 257, 1025, 4097, 12289, 16384):
            with self.subTest(size):
                self.assertLessEqual(self.of_one_call(size), size * 1.5 + BESIDE_SMALL)

    def test_conversations(self):
        """tls: of what clients say and hear, the longer calls take together at most 1.25 times their length of the ring"""
        script = self.folder / "client.py"
        script.write_text(CLIENT)
        python = (PYTHON, script, self.server.port, CALLS, BIG)
        curl = (self.needs("/usr/bin/curl"), "-sk", *(self.server.url(size + 1) for size in range(CALLS)), self.server.url(BIG))
        for client in (python, curl):
            with self.subTest(client[0]):
                before = self.taken()
                account = self.talk(*client, deadline=60)
                taken = self.taken() - before
                calls = [event["tls"] for event in account.of_type("tls")]
                connections = {body["connection"] for body in calls}
                small = [body["length"] for body in calls if body["call_length"] <= SMALL]
                longer = sum(body["length"] for body in calls if body["call_length"] > SMALL)
                others = sum(small) + len(small) * BESIDE_SMALL + len(connections) * CONNECTION
                print(f"        {longer} bytes in longer calls took {(taken - others) / longer:.3f} times that at most", flush=True)
                self.assertGreaterEqual(longer, BIG)
                self.assertLessEqual(taken - others, BESIDE_LONG * longer)


class Mixed(DurableTlsCase):
    """Also where the kernel may interrupt a program in the middle, which a row of the guests is there for."""

    without = ("file",)

    def test_letters(self):
        """tls: with more threads than processors no record holds bytes of two connections"""
        if asked_preemption():
            self.assertIn(f"({asked_preemption()})", preemption(), "the kernel does not preempt as it was told to: this proves nothing")
        processors = sorted(os.sched_getaffinity(0))[:PROCESSORS]
        threads = 6 * len(processors)
        with watch(self.daemon, [program("letters_tls"), str(CERTIFICATE), str(threads), str(LETTERS)], options={"tls": "full"},
                   selector={"types": ["target"]}, preexec_fn=lambda: os.sched_setaffinity(0, processors)) as client:
            client.run(120)
        self.assertEqual(0, client.status)
        letters = collections.defaultdict(set)
        events = self.written(client.target).of_type("tls")
        for event in events:
            letters[event["tls"]["connection"]] |= set(data_of(event["tls"]))
        print(f"        {len(events)} records of {threads} threads on {len(processors)} processors; preemption: {preemption()}", flush=True)
        self.assertEqual({1}, {len(held) for held in letters.values()})
        self.assertEqual(threads, len(set.union(*letters.values())))
        self.assertEqual(2 * threads, len(letters))


del TlsCase, DurableTlsCase

if __name__ == "__main__":
    unittest.main()
