"""TLS: libraries that are rewritten in place while they are listened to, once or again and again."""

import os
import pathlib
import signal
import subprocess
import time
import unittest

from harness import PATIENCE, kernel_since, wait_until, watch
from kernel_case import Account
from tls_case import TlsCase, told_by_connection

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

# Connects for the first line that it is given. For each that follows it asks by itself, or forks a child, which says its pid and asks
# for the next line.
FORKER = """
import http.client, os, ssl, sys
link = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=ssl._create_unverified_context())
sys.stdin.readline()
link.connect()
print("said", flush=True)
for line in sys.stdin:
    by_itself = line.strip() == "ask yourself"
    if by_itself or os.fork() == 0:
        if not by_itself:
            print(os.getpid(), flush=True)
            sys.stdin.readline()
        link.request("GET", "/10")
        link.getresponse().read()
        print("said", flush=True)
        if not by_itself:
            os._exit(0)
    else:
        os.wait()
"""

# Rewrites a file without end, for so many seconds.
REWRITER = """
import os, sys, time
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    file = os.open(sys.argv[1], os.O_RDWR)
    os.pwrite(file, b"\x7f", 0)
    os.close(file)
"""
SECONDS = 3


def state_in(event, path):
    """That the library has now, by an event."""
    return event["probe"]["state"] if event["type"] == "probe" and event["probe"]["hook"].endswith(f":{path}") else None


class Rewritten(TlsCase):
    listened_to = "attached"

    def talker(self, folder, text=TALKER):
        """A watched client with the libraries of that folder."""
        script = self.folder / "talker.py"
        script.write_text(text)
        client = watch(self.daemon, [PYTHON, script, str(self.server.port)], selector={"types": list(self.types)}, options={"tls": "full"},
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "LD_LIBRARY_PATH": str(folder)})
        self.addCleanup(client.close)
        client.go()
        self.wait_until_heard(client.pid, folder / "libssl.so.3")
        return client

    def needs_own_conversations(self):
        if not kernel_since(5, 17):
            self.skipTest("before 5.17 a rewriting cuts everybody's conversations")

    def wait_until_heard(self, pid, path):
        wait_until(lambda: self.explain(pid).get(str(path), ("",))[0] == "attached", "it is listened to")

    def say(self, *clients):
        """Each asks once, and has its answer."""
        for client in clients:
            client.process.stdin.write(b"\n")
            client.process.stdin.flush()
            self.assertEqual(b"said\n", client.process.stdout.readline())

    @staticmethod
    def from_start(account):
        """Of each connection, in the order that they were first told in, whether it is told as one."""
        return [told["send"][0]["from_start"] for told in told_by_connection(account).values()]

    def account(self, client):
        """Of all that it said."""
        client.process.stdin.close()
        client.process.stdout.close()
        return Account(client.finish())

    def states(self):
        """A stream of them, from now on."""
        stream = self.daemon.subscribe(types=["probe", "loss"])
        self.addCleanup(stream.close)
        return stream

    @staticmethod
    def write_to(path):
        """What was there already."""
        with path.open("r+b", buffering=0) as file:
            file.write(b"\x7f")

    def rewrite(self, path):
        """One byte, in place, with what was there; returns when it is listened to again."""
        states = self.states()
        with path.open("r+b") as file:
            file.write(b"\x7f")
            file.flush()
            states.wait_for(lambda event: state_in(event, path) == "degraded")
        self.wait_for_another(states, path)

    def wait_for_another(self, states, path):
        states.wait_for(lambda event: state_in(event, path) == self.listened_to)
        states.wait_for(lambda event: event["type"] == "loss" and (event["loss"]["family"], event["loss"]["cause"]) == ("tls", "late-attach"))

    def test_others(self):
        """tls: a library that is rewritten in place has its own conversations told as others from there on, and nobody else's"""
        self.needs_own_conversations()
        folders = [self.copy_of_libssl(name) for name in ("rewritten", "other")]
        clients = [self.talker(folder) for folder in folders]
        self.say(*clients)
        self.rewrite(folders[0] / "libssl.so.3")
        self.say(*clients)
        cut, whole = (self.account(client) for client in clients)
        self.assertEqual([True, False], self.from_start(cut))
        self.assertEqual([True], self.from_start(whole))

    def test_inherited(self):
        """tls: a connection that a fork has from before its library was rewritten is not told from its start"""
        self.needs_own_conversations()
        whole, cut = (self.talker(self.copy_of_libssl(name), FORKER) for name in ("whole", "cut"))
        self.say(whole, cut)
        self.rewrite(self.folder / "cut" / "libssl.so.3")
        for client, name in ((whole, "whole"), (cut, "cut")):
            client.process.stdin.write(b"fork\n")
            client.process.stdin.flush()
            self.wait_until_heard(int(client.process.stdout.readline()), self.folder / name / "libssl.so.3")
        self.say(whole, cut)
        self.assertEqual([[True], [False]], [self.from_start(self.account(client)) for client in (whole, cut)])

    def test_without_close(self):
        """tls: a library that is truncated to the size it has, or whose writer keeps it open, is listened to again after a while"""
        path = self.copy_of_libssl("truncated") / "libssl.so.3"
        client = self.talker(path.parent)
        self.say(client)
        for change in (lambda file: file.truncate(path.stat().st_size), lambda file: file.write(b"\x7f")):
            states = self.states()
            with path.open("r+b", buffering=0) as file:
                change(file)
                states.wait_for(lambda event: state_in(event, path) == "degraded")
                self.wait_for_another(states, path)
                self.say(client)
        self.assertEqual([True, False, False], self.from_start(self.account(client)))

    def test_without_end(self):
        """tls: a library that is rewritten without end is read once a second at most, holds nobody up, and is listened to when that ends"""
        self.needs_own_conversations()
        folder = self.copy_of_libssl("libraries")
        path = folder / "libssl.so.3"
        client = self.talker(folder)
        self.say(client)
        states = self.states()
        rewriter = subprocess.Popen([PYTHON, "-c", REWRITER, path, str(SECONDS * PATIENCE)])
        began = time.monotonic()
        slowest = 0
        while rewriter.poll() is None:
            asked = time.monotonic()
            self.daemon.property("Version")
            slowest = max(slowest, time.monotonic() - asked)
        self.assertEqual(0, rewriter.wait())
        self.assertLess(slowest, 1 * PATIENCE)
        self.wait_until_heard(client.pid, path)
        states.wait_for(lambda event: event["type"] == "loss" and (event["loss"]["family"], event["loss"]["cause"]) == ("tls", "late-attach"))
        let_go = [event for event in states.events if state_in(event, path) == "degraded"]
        self.assertLessEqual(len(let_go), time.monotonic() - began + 1)
        self.say(client)
        self.assertEqual([True, False], self.from_start(self.account(client)))

    def test_notes_lost(self):
        """tls: a rewriting that the kernel had no room to note is found by looking; what was not rewritten is left alone"""
        self.needs_own_conversations()
        folders = [self.copy_of_libssl(name) for name in ("often", "once", "never")]
        often, once, never = (folder / "libssl.so.3" for folder in folders)
        clients = [self.talker(folder) for folder in folders]
        self.say(*clients)
        states = self.states()
        os.kill(self.daemon.pid, signal.SIGSTOP)
        try:
            for _ in range(int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())):
                self.write_to(often)
            self.write_to(once)
        finally:
            os.kill(self.daemon.pid, signal.SIGCONT)
        for path in (often, once):
            states.wait_for(lambda event, path=path: state_in(event, path) == "degraded")
            states.wait_for(lambda event, path=path: state_in(event, path) == self.listened_to)
        for client, path in zip(clients, (often, once, never)):
            self.wait_until_heard(client.pid, path)
        self.say(*clients)
        self.assertEqual([[True, False], [True, False], [True]], [self.from_start(self.account(client)) for client in clients])
        self.assertNotIn("degraded", [state_in(event, never) for event in states.events])


class WatchedAgain(TlsCase):
    def test_inherited(self):
        """tls: a connection that a fork has from before nobody watched its parent for a while is not told from its start"""
        process = subprocess.Popen([PYTHON, "-c", FORKER, str(self.server.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for step in (process.wait, process.stdout.close, process.stdin.close):
            self.addCleanup(step)
        def say(line):
            print(line, file=process.stdin, flush=True)
            self.assertEqual("said\n", process.stdout.readline())
        stream = self.daemon.subscribe(types=["tls"])
        self.addCleanup(stream.close)
        target = self.daemon.start(process.pid, tls="full")
        say("connect")
        say("ask yourself")
        self.daemon.stop_monitoring(target)
        say("ask yourself")
        self.daemon.start(process.pid, tls="full")
        print("fork", file=process.stdin, flush=True)
        process.stdout.readline()
        say("ask")
        event = stream.wait_for(lambda event: event["process"]["pid"] != process.pid)
        self.assertIsNotNone(event["tls"]["inherited_from"])
        self.assertFalse(event["tls"]["from_start"], event["tls"])


class RewrittenByProcess(Rewritten):
    settings = {"tls.scope": "watched"}
    listened_to = "standby"


del TlsCase

if __name__ == "__main__":
    unittest.main()
