"""TLS: what records take of the ring, and that none of them holds two connections' bytes."""

import collections
import os
import pathlib
import unittest

from harness import program, watch
from kernel_case import QUICK
from tls_case import BESIDE_SMALL, SMALL, DurableTlsCase, TlsCase, data_of
from tls_server import CERTIFICATE

CALLS = 50 if QUICK else 300
PROCESSORS = 10  # at most, with six threads on each: letters_tls has 64, one for each letter
LETTERS = 50  # calls of each thread: more than the file follows would be lost, and prove nothing


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
