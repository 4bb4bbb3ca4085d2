"""What the TLS tests share: a server that notes everything, and streams rebuilt from events."""

import base64
import collections
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import dbus

from harness import CALL_TIMEOUT, kind_of_change, wait_until
from kernel_case import Account, KernelCase
from kernel_maps import maps_of, ring_bytes
from tls_server import TlsServer

SMALL, BESIDE_SMALL = 192, 80  # a call of up to so many bytes takes so many more of the ring
BESIDE_LONG = 1.25  # longer ones take so many times their length, all together
CONNECTION = 256  # for what is told of a connection beside its calls, at most
LOST_UNCOUNTED = ("calls-full", "connections-full", "recursion")  # with them the number of bytes is lost
LOST = ("ring-full", *LOST_UNCOUNTED)


def library_called(name):
    """Where the loader finds it first."""
    known = subprocess.run(["/sbin/ldconfig", "-p"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return next(line.split("=> ")[1] for line in known.splitlines() if line.split(" (")[0].strip() == name)


def traps_in(pid, library):
    """How many bytes of a library's code are not, in this process, as its file has them."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        rows = [line.split(maxsplit=5) for line in maps]
    [(area, offset)] = [(row[0], int(row[2], 16)) for row in rows if row[1][2] == "x" and row[5:] == [f"{library}\n"]]
    begin, end = (int(place, 16) for place in area.split("-"))
    with open(f"/proc/{pid}/mem", "rb") as memory, open(library, "rb") as file:
        memory.seek(begin)
        file.seek(offset)
        own = file.read(end - begin)
        return sum(there != byte for there, byte in zip(memory.read(len(own)), own))


def data_of(body):
    """The bytes of one event's tls member."""
    data = body.get("data", "")
    return base64.b64decode(data) if body.get("encoding") == "base64" else data.encode()


def streams_of(account):
    """{(process id, connection): {"send": bytes, "recv": bytes}}: whole streams, or an assertion about the first hole."""
    parts = collections.defaultdict(list)
    for event in account.of_type("tls"):
        body = event["tls"]
        parts[event["process"]["id"], body["connection"], body["direction"]].append(body)
    streams = collections.defaultdict(lambda: {"send": b"", "recv": b""})
    for (process, connection, direction), bodies in parts.items():
        pieces, length = [], 0
        for body in sorted(bodies, key=lambda one: one["offset"]):
            assert body["offset"] == length, f"{direction} of {connection}: {length} bytes, then {body['offset']}"
            assert body["captured"] == body["length"], f"{body['withheld']}: {body['captured']} of {body['length']} bytes"
            pieces.append(data_of(body))
            length += len(pieces[-1])
        streams[process, connection][direction] = b"".join(pieces)
    return dict(streams)


def told_by_connection(account):
    """{(process id, connection): {"send": bodies, "recv": bodies}}, of what is told of each, in order of offsets."""
    told = collections.defaultdict(lambda: {"send": [], "recv": []})
    for event in account.of_type("tls"):
        told[event["process"]["id"], event["tls"]["connection"]][event["tls"]["direction"]].append(event["tls"])
    for directions in told.values():
        for bodies in directions.values():
            bodies.sort(key=lambda body: body["offset"])
    return told


def gaps_of(bodies, whole):
    """[bytes]: how many no event tells, of one direction: between events, and then at its end. What is told must be what was said there."""
    gaps, end = [], 0
    for body in bodies:
        assert body["offset"] >= end, f"{body['offset']} was told already: up to {end}"
        assert body["captured"] == body["length"], f"{body['withheld']}: {body['captured']} of {body['length']} bytes"
        data = data_of(body)
        assert len(data) == body["length"] and whole[body["offset"]:body["offset"] + len(data)] == data, f"other bytes at {body['offset']}"
        gaps.append(body["offset"] - end)
        end = body["offset"] + body["length"]
    assert end <= len(whole), f"{end} of {len(whole)} bytes are told"
    return [gap for gap in (*gaps, len(whole) - end) if gap]


class TlsCase(KernelCase):
    types = ("fork", "exec", "exit", "target", "alert", "loss", "gap", "probe", "tls")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = TlsServer()
        cls.addClassCleanup(cls.server.server_close)
        cls.addClassCleanup(cls.server.shutdown)

    def copy_of_libssl(self, name):
        """A folder with a libssl of its own; both it and its libcrypto come before the system's."""
        folder = self.folder / name
        folder.mkdir()
        for library in ("libssl.so.3", "libcrypto.so.3"):
            shutil.copy(library_called(library), folder / library)
        return folder

    def needs(self, path):
        if not os.access(path, os.X_OK):
            self.skipTest(f"there is no {path}")
        return path

    def explain(self, pid):
        """{file: (state, reason)} of the TLS a process has."""
        said = self.daemon.manager.Explain(dbus.UInt32(pid), timeout=CALL_TIMEOUT)
        return {str(file): (str(state), str(reason)) for file, state, reason in said["tls"]}

    def talk(self, *argv, level="full", stdin=None, deadline=30, **popen):
        """Runs a client watched; its Account. Its own output must not be shown: it may be the stream."""
        account, _ = self.watched_path(argv[0], *argv[1:], options={"tls": level}, deadline=deadline,
                                       stdin=subprocess.DEVNULL if stdin is None else stdin, **popen)
        self.assertEqual(0, self.last.status, f"{argv[0]} failed")
        return account

    def taken(self):
        """Bytes of the ring, so far."""
        return ring_bytes(maps_of(self.daemon.pid)["aa_tls_ring"])

    def assert_taken(self, account, taken):
        """Of what these events took of the ring, longer calls took no more than they may; small ones and connections count as they may."""
        calls = [event["tls"] for event in account.of_type("tls")]
        connections = {(event["process"]["id"], event["tls"]["connection"]) for event in account.of_type("tls")}
        small = [body["length"] for body in calls if body["call_length"] <= SMALL]
        longer = sum(body["length"] for body in calls if body["call_length"] > SMALL)
        others = sum(small) + len(small) * BESIDE_SMALL + len(connections) * CONNECTION
        if longer:
            print(f"        {longer} bytes in longer calls took {(taken - others) / longer:.3f} times that at most", flush=True)
        self.assertLessEqual(taken - others, BESIDE_LONG * longer)

    def assert_exact(self, account, connections):
        """Every byte of every conversation, both ways: what events hold is what the server wrote down."""
        heard = sorted((stream["send"], stream["recv"]) for stream in streams_of(account).values())
        said = sorted(self.server.take(connections))
        self.assertEqual([(len(a), len(b)) for a, b in said], [(len(a), len(b)) for a, b in heard])
        self.assertTrue(said == heard, "the same lengths, but other bytes")
        self.assertEqual({True}, {event["tls"]["from_start"] for event in account.of_type("tls")})

    def assert_peers(self, account, source):
        """The server is the peer of every event, known in this way, but of what each connection sent first, before anybody could know."""
        known = set()
        for event in account.of_type("tls"):
            body = event["tls"]
            if "peer" in body:
                known.add(body["connection"])
                self.assertEqual((f"127.0.0.1:{self.server.port}", source), (body["peer"], body["peer_source"]))
            else:
                self.assertEqual(("thread", "send", 0), (source, body["direction"], body["offset"]))
        self.assertEqual({event["tls"]["connection"] for event in account.of_type("tls")}, known)

    def assert_ledger(self):
        """attempts = delivered + lost, once everything is read."""
        for _ in range(100):
            counters = self.daemon.counters()
            lost = sum(counters[f"tls.{cause}"] for cause in LOST)
            if counters["tls.attempt"] == counters["tls.delivered"] + lost:
                return counters
            time.sleep(0.05)
        self.fail(f"attempts are not delivered + lost: {counters}")


class DurableTlsCase(TlsCase):
    """With the file of events: where a reader in Python is too slow."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="aa-jsonl-")
        cls.addClassCleanup(folder.cleanup)
        cls.file = pathlib.Path(folder.name) / "events.jsonl"
        cls.settings = {**cls.settings, "jsonl.path": cls.file, "tls.ring_kib": 65536}
        super().setUpClass()

    def written(self, target):
        """Its events in `self.file`, which the daemon writes, complete up to its end."""
        def last_lines():
            with self.file.open("rb") as file:
                file.seek(max(0, self.file.stat().st_size - (1 << 20)))
                return [json.loads(line) for line in file.read().split(b"\n")[1:-1] if b'"exited"' in line]

        wait_until(lambda: any(kind_of_change(event) == "exited" for event in last_lines()), "the file has the end", 120)
        with self.file.open("rb") as file:
            return Account([json.loads(line) for line in file if target.encode() in line])
