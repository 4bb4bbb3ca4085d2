"""What the kernel suite's tests share: a daemon per class, a folder per test, and an account of what was seen.

Comes in: a test program's own words and the events of its target. Goes out: an Account, sound in itself (every process
of it has one beginning and one end), that a test compares with those words.
"""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from harness import Daemon, PrivateBus, program, watch

QUICK = bool(os.environ.get("AA_QUICK"))
STORM = int(os.environ.get("AA_STORM") or (4_000 if QUICK else 100_000))  # processes in a storm; others are in proportion


def only(without):
    """Settings of a daemon that runs without these families."""
    return {f"families.{family}": "off" for family in without}


class Account:
    """One target's events, by process id."""

    def __init__(self, events):
        self.events = events
        self.forks = {}  # child id → parent id
        self.execs = collections.defaultdict(list)  # successful ones
        self.failed_execs = collections.defaultdict(list)
        self.exits = collections.defaultdict(list)
        self.adopted = 0
        for event in events:
            self._add(event)

    def _add(self, event):
        kind, who = event["type"], event.get("process", {}).get("id")
        if kind == "fork":
            child = event["fork"]["child_id"]
            assert child not in self.forks, f"{child} was forked twice"
            self.forks[child] = who
        elif kind == "exec":
            (self.execs if event["exec"]["result"] == 0 else self.failed_execs)[who].append(event)
        elif kind == "exit":
            self.exits[who].append(event)
        elif kind == "target":
            self.adopted += event["target_change"].get("adopted", 0)

    def of_type(self, *kinds):
        return [event for event in self.events if event["type"] in kinds]

    def id_of(self, pid):
        """The one process of this account that had `pid`."""
        ids = {i for i in (*self.forks, *self.exits) if pid_of(i) == pid}
        assert len(ids) == 1, f"pid {pid} is {ids or 'nobody'} here"
        return ids.pop()

    def status_of(self, pid):
        return wait_status(self.exits[self.id_of(pid)][0])

    def parents(self):
        """{child pid: pid of who forked it}: what programs can say of themselves."""
        return {pid_of(child): pid_of(parent) for child, parent in self.forks.items()}


def pid_of(process_id):
    return int(process_id.partition("-")[0])


def wait_status(exit_event):
    body = exit_event["exit"]
    return body["code"] << 8 | body["signal"] | (0x80 if body["core_dumped"] else 0)


def words(text):
    """A program's lines as {first word: [the rest as numbers, …]}."""
    said = collections.defaultdict(list)
    for line in text.splitlines():
        word, *rest = line.split()
        said[word].append(tuple(int(value) for value in rest))
    return said


class KernelCase(unittest.TestCase):
    """A private bus and a daemon for all tests of the class; `settings` become its --set options."""

    settings = {}
    options = ()
    without = ()  # families that its tests do not ask about: in a guest each costs seconds at every start and end
    # What most tests look at: without the flood of files, of which a reader in Python could be too slow.
    types = ("fork", "exec", "exit", "target", "alert", "loss", "gap", "probe")

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("loading programs into the kernel needs root")
        cls.bus = PrivateBus()
        cls.addClassCleanup(cls.bus.stop)
        cls.daemon = Daemon(cls.bus, *cls.options, settings={**only(cls.without), **cls.settings})

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="aa-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        if self.daemon.process.poll() is not None:
            self.fail(f"the daemon has ended with {self.daemon.process.returncode}:\n{self.daemon.errors()}")

    def unskipped(self, family, work):
        """What `work` returns. A kernel that preempts our programs skips some of their runs, and counts them: work that met
        with that is done again, four times at most."""
        for attempt in range(4):
            before = self.daemon.counters()[f"{family}.recursion"]
            try:
                result, wrong = work(), None
            except AssertionError as error:
                wrong = error
            skipped = self.daemon.counters()[f"{family}.recursion"] - before
            if wrong is not None:
                wrong.add_note(f"at attempt {attempt + 1}; runs that the kernel skipped in it: {skipped}")
            if skipped == 0:
                break
        if wrong is not None:
            raise wrong
        return result

    def watched(self, name, *args, **options):
        """Runs a test program watched; returns its Account and what it said. It is `self.last` afterwards."""
        return self.watched_path(program(name), *args, **options)

    def watched_path(self, path, *args, deadline=20, sound=True, **popen):
        """The same for any program."""
        output = self.folder / "said"
        popen.setdefault("selector", {"types": list(self.types)} if self.types else None)
        with output.open("wb") as out:
            with watch(self.daemon, [str(path), *map(str, args)], stdout=out, stderr=subprocess.STDOUT,
                       **popen) as self.last:
                events = self.last.run(deadline)
        account = Account(events)
        text = output.read_text(errors="surrogateescape")
        self.assertNotIn(self.last.status, (120, 121, 122, 123), f"{path} failed: {text}")
        if sound:
            self.assert_sound(account, self.last.pid)
        return account, text

    def assert_sound(self, account, root):
        """One beginning and one end for every process, the same parent in all its events, in order, and nothing lost."""
        self.assertEqual([], account.of_type("loss"))
        numbers = [event["seq"] for event in account.events]
        self.assertEqual(sorted(set(numbers)), numbers, "seq does not rise")
        roots = [i for i in account.exits if pid_of(i) == root]
        self.assertEqual(1, len(roots), f"ends of the root {root}: {roots}")
        known = {**account.forks, roots[0]: account.exits[roots[0]][0]["process"].get("parent_id")}
        self.assertEqual(set(known), set(account.exits), "who began and who ended differ")
        for process, ends in account.exits.items():
            self.assertEqual(1, len(ends), f"{process} ended {len(ends)} times")
        for event in account.events:
            process = event.get("process")
            if process is None or event["type"] not in ("fork", "exec", "exit"):
                continue
            self.assertIn(process["id"], known, f"an event of a process never introduced: {event}")
            self.assertEqual(known[process["id"]], process.get("parent_id"), f"another parent: {event}")
            self.assertEqual(process["pid"], pid_of(process["id"]))
        for execs in account.execs.values():
            images = [event["process"]["image"] for event in execs]
            self.assertEqual(list(range(images[0], images[0] + len(images))), images, "images do not count up")


class OwnDaemonCase(unittest.TestCase):
    """Each test starts daemons of its own, on a bus and with a folder of its own."""

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("loading programs into the kernel needs root")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="aa-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.bus = PrivateBus()
        self.addCleanup(self.bus.stop)


def read_lines(path):
    """The events of a JSON Lines file; a torn last line is an error here."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
