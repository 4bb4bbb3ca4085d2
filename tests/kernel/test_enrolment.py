"""Enrolment: nobody is missed, whatever the tree does meanwhile; nested targets; a watched set that is full."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
import unittest

from hanging import silent_file
from harness import PATIENCE, adopted_by, error_of, kind_of_change, pidfd_open, program, wait_until, watch
from kernel_case import QUICK, STORM, Account, KernelCase, pid_of

GROWING = min(6000, 2 * STORM)  # processes of a tree that forks as fast as it can


# Maps a file where the kernel put the name that it was started by, says so, and waits for its standard input's end.
NAMELESS = """
import ctypes, mmap, struct, sys, threading
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
table = struct.iter_unpack("=QQ", open("/proc/self/auxv", "rb").read())
page = next(value for key, value in table if key == 31) // 4096 * 4096
file = open(sys.argv[1], "rb", buffering=0)
def change_memory():
    while True:
        mmap.mmap(-1, 1 << 24).close()
print(libc.mmap(page, 4096, 1, 0x12, file.fileno(), 0) == page, flush=True)
if sys.argv[2] == "changing":
    threading.Thread(target=change_memory, daemon=True).start()
sys.stdin.read()
"""


class Tree:
    """forking_tree's own log: who was alive when, by its own words."""

    def __init__(self, path):
        self.starts, self.ends = {}, {}  # (pid, forked by) → boot ns; a pid may come back, so lists
        for line in path.read_text().splitlines():
            what, pid, parent, boot_ns = line.split()
            book = self.starts if what == "s" else self.ends
            book.setdefault((int(pid), int(parent)), []).append(int(boot_ns))

    def __len__(self):
        return sum(map(len, self.starts.values()))

    def alive_after(self, boot_ns):
        """[(pid, forked by, end)]: those who ended later than that."""
        return [(*who, end) for who, ends in self.ends.items() for end in ends if end > boot_ns]


def boot_now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Enrolment(KernelCase):
    def started(self, *argv, **popen):
        """A program that runs already when it is enrolled; ended at the test's end."""
        return self.run_until_end([program(argv[0]), *map(str, argv[1:])], **popen)

    def run_until_end(self, argv, **popen):
        process = subprocess.Popen(argv, **popen)

        def end():
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()
            if process.poll() is None:
                process.kill()
                process.wait()

        self.addCleanup(end)
        return process

    def test_silent_memory(self):
        """enrolment: a process whose memory nobody answers for, as a FUSE file's, holds nobody up: it is enrolled, with all that is known"""
        self.enrol_silent("standing")

    def test_locked_memory(self):
        """enrolment: nor does one whose memory is locked for that, for whoever reads it and for itself"""
        before = self.daemon.counters()["tls.unseen"]
        process = self.enrol_silent("changing")
        self.assertLess(before, self.daemon.counters()["tls.unseen"], "what it has mapped was not looked into")
        with self.assertRaises(subprocess.TimeoutExpired):
            process.communicate(b"", timeout=1)  # it waits itself, or this proves nothing

    def enrol_silent(self, memory):
        """Twice: who was not answered for is not asked again."""
        silent = silent_file(self, self.folder / "silent", bytes(4096))
        script = self.folder / "nameless.py"
        script.write_text(NAMELESS)
        process = self.run_until_end(["/usr/bin/python3", script, self.folder / "silent/file", memory, 20_000 * "a"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(silent.release)  # before it is ended: its end waits for an answer as well
        self.assertEqual(b"True\n", process.stdout.readline())
        call = pathlib.Path(f"/proc/{process.pid}/syscall")  # "0 0x0 …": it reads what it is told, and does nothing else
        wait_until(lambda: call.read_text().startswith("0 0x0 "), "it waits")
        silent.be_silent()
        for argument in ("/silent/file", None):
            target = self.daemon.start(process.pid)
            self.assertTrue(silent.asked.wait(20 * PATIENCE), "nobody asked it: this proves nothing")
            row = next(row for row in self.daemon.tree(target).values() if row["pid"] == process.pid)
            self.assertIn("python3", str(row["exe"]))
            if argument and memory == "standing":
                self.assertIn(argument, str(row["argv"][2]))
            self.daemon.stop_monitoring(target)
        return process

    def finished(self, stream, target, deadline=30):
        """The account of a target that ends by itself."""
        def gone(event):
            return event.get("target", {}).get("id") == target and kind_of_change(event) == "exited"

        stream.wait_for(gone, deadline, "the target's end")
        missed = [event["loss"]["count"] for event in stream.of_type("loss") if event["loss"]["family"] == "subscriber"]
        self.assertEqual([], missed, "this test reads too slowly")
        return Account([e for e in list(stream.events) if e.get("target", {}).get("id") == target])

    def test_under_fire(self):
        """enrolment: of a tree that forks as fast as it can, everyone is adopted or born inside, none missed"""
        for seed in range(1, 3 if QUICK else 9):
            with self.subTest(seed=seed):
                enough = any(self.unskipped("exec", lambda: self.enrol_under_fire(seed)) for _ in range(8))
                self.assertTrue(enough, "enrolled too late to prove anything, each time")

    def enrol_under_fire(self, seed):
        """False: most of the tree had ended when it was answered."""
        log = self.folder / f"tree-{seed}-{time.monotonic_ns()}"
        count = GROWING
        stream = self.daemon.subscribe(types=list(self.types))
        root = self.started("forking_tree", count, 150, log, seed)
        wait_until(lambda: log.exists() and log.stat().st_size > 5_000, "the tree is growing")
        target = self.daemon.start(root.pid)
        answered = boot_now()
        self.assertEqual(0, root.wait(60 * PATIENCE))
        account = self.finished(stream, target)
        stream.close()
        tree = Tree(log)
        self.assertEqual(count, len(tree))
        self.assertEqual([], account.of_type("loss"))
        ends = {}
        for process, (end,) in account.exits.items():
            ends.setdefault(pid_of(process), []).append(end)
        alive = tree.alive_after(answered)
        if len(alive) <= 100:
            return False
        for pid, parent, ended in alive:
            mine = [e for e in ends.get(pid, []) if e["process"]["ppid"] == parent and e["boot_ns"] > ended]
            self.assertTrue(mine, f"{pid}, forked by {parent}, lived on after the enrolment and was missed")
        born, ended = set(account.forks), set(account.exits)
        self.assertLessEqual(born, ended, "born and never ended")
        self.assertEqual(account.adopted, len(ended - born) - 1, "adopted: those who end without having been born inside")
        self.assertEqual(1, len({t for t in ended if pid_of(t) == root.pid}))
        everyone = {(pid, parent) for pid, parent in tree.starts} | {(root.pid, os.getpid())}
        shown = {(e["process"]["pid"], e["process"]["ppid"]) for e in account.of_type("exit")}
        self.assertLessEqual(shown, everyone, "events of somebody who is not of the tree, or with another parent")
        return True

    def test_stop_while_forking(self):
        """enrolment: stopped in the middle of its forks, a tree is let go whole: no event of it comes after `removed`"""
        log = self.folder / "tree"
        stream = self.daemon.subscribe(types=list(self.types))
        root = self.started("forking_tree", GROWING, 150, log, 1)
        wait_until(lambda: log.exists() and log.stat().st_size > 20_000, "the tree is growing")
        target = self.daemon.start(root.pid)
        self.daemon.stop_monitoring(target)
        stream.wait_for(lambda e: kind_of_change(e) == "removed" and e["target"]["id"] == target)
        self.assertEqual(0, root.wait(60 * PATIENCE))
        events = [e for e in stream.until_quiet() if e.get("target", {}).get("id") == target]
        self.assertEqual("removed", kind_of_change(events[-1]))
        self.assertNotIn(target, self.daemon.targets())

    def test_adopts_the_living(self):
        """enrolment: children that were there before are adopted, counted, and known with their text"""
        brood = self.started("brood", 5, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        children = [int(brood.stdout.readline().split()[1]) for _ in range(5)]
        stream = self.daemon.subscribe()
        target = self.daemon.start(brood.pid)
        added = stream.wait_for(lambda e: kind_of_change(e) == "added")
        self.assertEqual(5, adopted_by(added))
        rows = {int(row["pid"]): row for row in self.daemon.tree(target).values()}
        self.assertEqual({brood.pid, *children}, set(rows))
        for child in children:
            self.assertEqual(rows[brood.pid]["id"], rows[child]["parent_id"])
            self.assertEqual(program("brood"), rows[child]["exe"])
            self.assertEqual([program("brood"), "5"], list(rows[child]["argv"]))
        brood.stdin.close()
        account = self.finished(stream, target)
        self.assertEqual({brood.pid, *children}, {pid_of(i) for i in account.exits})

    def test_idempotent(self):
        """enrolment: a root that is watched already is answered with the same target"""
        held = self.started("hold", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        first = self.daemon.start(held.pid)
        fd = pidfd_open(held.pid)
        try:
            self.assertEqual(first, self.daemon.start(held.pid))
            self.assertEqual(first, self.daemon.start_pidfd(fd))
        finally:
            os.close(fd)
        self.assertEqual(1, sum(t["pid"] == held.pid for t in self.daemon.targets().values()))

    def test_stop_by_id_name_and_pid(self):
        """enrolment: a target is stopped by its id, by its name, by its root's pid"""
        held = self.started("hold", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for handle in (lambda target: target, lambda _: "a name of its own", lambda _: str(held.pid)):
            target = self.daemon.start(held.pid, name="a name of its own")
            self.assertEqual("a name of its own", self.daemon.targets()[target]["name"])
            self.daemon.stop_monitoring(handle(target))
            self.assertNotIn(target, self.daemon.targets())

    def test_pidfd(self):
        """enrolment: by pidfd a program is seen from its first instruction, as by pid"""
        with watch(self.daemon, [program("tiny"), "9"], pidfd=True) as watched:
            account = Account(watched.run())
        self.assertEqual(9 << 8, account.status_of(watched.pid))
        self.assertEqual(1, len(account.execs[account.id_of(watched.pid)]))

    def test_child_leaves_its_root(self):
        """enrolment: a target goes on after its root, until its last process is gone"""
        account, _ = self.watched_path("/bin/sh", "-c", f"{program('storm')} fork 50 1 /dev/null & exit 3")
        self.assertEqual("exited", kind_of_change(account.events[-1]))
        self.assertNotEqual(self.last.pid, account.of_type("exit")[-1]["process"]["pid"], "the root is not the last here")
        self.assertEqual(3 << 8, account.status_of(self.last.pid))

    def test_nested(self):
        """enrolment: a target inside a target takes its subtree, and gives it back when it is stopped"""
        with self.nested() as (outer, inner, shell, ask):
            self.assertEqual({shell: outer, "inner": inner}, self.owners_of_next_forks(shell, ask))
            self.daemon.stop_monitoring(inner)
            self.assertEqual({shell: outer, "inner": outer}, self.owners_of_next_forks(shell, ask))

    def test_nested_outer_stops(self):
        """enrolment: stopping the outer target leaves the inner one watched"""
        with self.nested() as (outer, inner, shell, ask):
            self.daemon.stop_monitoring(outer)
            self.assertEqual({"inner": inner}, self.owners_of_next_forks(shell, ask))

    @contextlib.contextmanager
    def nested(self):
        """A watched shell with a watched shell inside; `ask(who)` lets `shell` or its child `inner` fork once."""
        outer_shell = subprocess.Popen(["/bin/sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        fifo = self.folder / "inner"
        os.mkfifo(fifo)
        try:
            outer = self.daemon.start(outer_shell.pid, name="outer")
            print(f"/bin/sh {fifo} & echo $!", file=outer_shell.stdin)
            inner_pid = int(outer_shell.stdout.readline())
            with fifo.open("w", buffering=1) as inner_input:
                inner = self.daemon.start(inner_pid, name="inner")
                self.inner_pid = inner_pid

                def ask(who):
                    print("/bin/true", file=inner_input if who == "inner" else outer_shell.stdin)

                yield outer, inner, outer_shell.pid, ask
        finally:
            outer_shell.stdin.close()
            outer_shell.stdout.close()
            outer_shell.kill()
            outer_shell.wait()

    def owners_of_next_forks(self, shell, ask):
        """{who: the target its next fork is an event of}; who forks unseen is missing."""
        stream = self.daemon.subscribe(types=["fork", "exit"])
        pids = {shell: shell, "inner": self.inner_pid}
        owners = {}
        for who in pids:
            ask(who)
        events = stream.until_quiet()
        for event in events:
            for who, pid in pids.items():
                if event["type"] == "fork" and event["process"]["pid"] == pid:
                    owners[who] = event["target"]["id"]
        stream.close()
        return owners


class FullSet(KernelCase):
    settings = {"watched.limit": 16, "watched.share": 8}

    def test_full(self):
        """watched set: when it is full an alert says so, the refused are counted, and taken in when there is room"""
        stream = self.daemon.subscribe()
        before = self.daemon.counters()
        with watch(self.daemon, [program("brood"), "20"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as watched:
            watched.go()
            children = [int(watched.process.stdout.readline().split()[1]) for _ in range(20)]
            alert = stream.wait_for(lambda e: e["type"] == "alert" and e["alert"]["kind"] == "watched-set-full")
            self.assertEqual(watched.target, alert["target"]["id"])
            row = wait_until(lambda: self.refused(watched.target), "the refused are counted")
            self.assertEqual(13, row, "20 children and a root, room for 8")
            after = self.daemon.counters()
            self.assertEqual(13, after["exec.share-full"] - before.get("exec.share-full", 0))
            inside = self.living(watched.target)
            self.assertEqual({watched.pid, *children[:7]}, inside)
            for child in children[:7]:
                os.kill(child, signal.SIGKILL)
            adopted = stream.wait_for(lambda e: kind_of_change(e) == "adopted", 15, "the refused taken in")
            self.assertGreater(adopted_by(adopted), 0)
            wait_until(lambda: len(self.living(watched.target)) == 8, "the room is used again", 15)
            self.assertLessEqual(self.living(watched.target) - {watched.pid}, set(children[7:]))
            watched.process.stdin.close()
            wait_until(lambda: self.daemon.targets()[watched.target]["state"] == "exited", "the target's end", 15)

    def refused(self, target):
        return int(self.daemon.targets()[target]["refused"])

    def living(self, target):
        return {int(row["pid"]) for row in self.daemon.tree(target).values() if row["exit"] == -1}

    def test_no_room_for_a_root(self):
        """watched set: a root that finds no room is refused with LimitReached"""
        broods = []
        try:
            for _ in range(2):
                brood = subprocess.Popen([program("brood"), "7"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                broods.append(brood)
                while not brood.stdout.readline().startswith(b"all"):
                    pass
                self.daemon.start(brood.pid)
            name, sentence = error_of(self.daemon.start, os.getpid())
            self.assertEqual("LimitReached", name)
            self.assertIn("watched.limit", sentence)
        finally:
            for brood in broods:
                brood.stdin.close()
                brood.stdout.close()
                brood.wait()


if __name__ == "__main__":
    unittest.main()
