"""TLS: where the kernel's maps have no room, and what is left in them: nothing is told wrongly, all of it is counted."""

import contextlib
import json
import pathlib
import subprocess
import unittest

from harness import program, wait_until
from kernel_case import QUICK
from tls_case import TlsCase, data_of

PYTHON = "/usr/bin/python3"
CALLS = pathlib.Path(__file__).resolve().parents[1] / "programs/openssl_calls.py"
ROOM = 16  # for calls
OBJECTS = 24
TRIED = 1  # the daemon's own, of its trial at the start


def bpftool(*words):
    return json.loads(subprocess.run(["bpftool", "-j", "map", *words], stdout=subprocess.PIPE, check=True).stdout)


def calls_of(size):
    """The client's for a request of so many bytes: it, the answer's head but for its end, that byte by byte, the body."""
    return 1 + 1 + len(f"{size}\r\n\r\n") + 1


def map_of(pid, name):
    """The number of the map of that name which the process has open."""
    numbers = set()
    for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            numbers |= {line.split()[1] for line in path.read_text().splitlines() if line.startswith("map_id:")}
    [number] = [number for number in numbers if bpftool("show", "id", number)["name"] == name[:15]]  # all that the kernel keeps
    return number


class FullCase(TlsCase):
    settings = {"tls.calls": ROOM, "tls.connections": OBJECTS, "lineage.reconcile_seconds": 1}

    def told(self, way):
        """([tls member], {counter: by how much it rose}) of a program that speaks so."""
        before = self.assert_ledger()
        account, _ = self.watched_path(PYTHON, CALLS, self.server.port, way, self.folder, options={"tls": "full"},
                                       sound=False, deadline=30)
        after = self.assert_ledger()
        return [event["tls"] for event in account.of_type("tls")], {name: after[name] - before[name] for name in after}


class Calls(FullCase):
    def test_calls(self):
        """tls: calls that there is no room to note are counted, and what follows is another connection, not seen from its start"""
        told, rose = self.told(f"crowd-{ROOM}")
        self.assertEqual(calls_of(20), rose["tls.calls-full"])
        self.assertEqual(0, rose["tls.late-attach"])
        of_link = {body["connection"] for body in told if data_of(body) in (b"GET /10 HTTP/1.1\r\n\r\n", b"GET /30 HTTP/1.1\r\n\r\n")}
        before, after = sorted(of_link)
        for number, from_start, size in ((before, True, 10), (after, False, 30)):
            for direction in ("send", "recv"):
                bodies = [body for body in told if (body["connection"], body["direction"]) == (number, direction)]
                self.assertEqual({from_start}, {body["from_start"] for body in bodies})
                self.assertEqual(0, bodies[0]["offset"])
            self.assertEqual(size, bodies[-1]["length"])

    def reader(self):
        """A watched process of which a thread waits in a read; `step()` has it go on to what it says next."""
        process = subprocess.Popen([program("dead_reader")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for end in (process.wait, process.kill, process.stdin.close, process.stdout.close):
            self.addCleanup(end)
        self.daemon.start(process.pid)
        self.step(process, b"waiting\n")
        return process

    def step(self, process, wanted):
        process.stdin.write(b"!")
        process.stdin.flush()
        self.assertEqual(wanted, process.stdout.readline())

    def test_dead(self):
        """tls: of threads and processes that end in the middle of a call nothing is left in the kernel's maps"""
        calls, connections = (map_of(self.daemon.process.pid, name) for name in ("aa_tls_calls", "aa_tls_connections"))
        lives, dies = self.reader(), self.reader()
        self.assertEqual(2, len(bpftool("dump", "id", calls)))
        self.step(lives, b"dead\n")
        dies.kill()
        wait_until(lambda: not bpftool("dump", "id", calls), "no call is left", 40)
        if not QUICK:
            wait_until(lambda: len(bpftool("dump", "id", connections)) == 1, "one connection is left", 40)


class Connections(FullCase):
    def test_connections(self):
        """tls: what is said on connections that there is no room for is counted, and on the others told"""
        room = OBJECTS - TRIED
        told, rose = self.told(f"many-{room + 3}")
        self.assertEqual(room, len({body["connection"] for body in told}))
        calls = [calls_of(size) for size in range(1, room + 4)]
        self.assertEqual(sum(calls[room:]), rose["tls.connections-full"])
        self.assertEqual(sum(calls[:room]), len(told))


del TlsCase, FullCase

if __name__ == "__main__":
    unittest.main()
