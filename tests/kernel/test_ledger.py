"""Nothing is lost silently: at full speed nothing is lost at all, and what a tiny ring cannot hold is counted exactly."""

import collections
import pathlib
import struct
import subprocess
import tempfile
import unittest

from harness import kind_of_change, program, wait_until, watch
from kernel_case import STORM, KernelCase, pid_of, read_lines

NEVER_REACHED_A_SINK = ("ring-full", "scratch", "recursion", "return-missed", "bad-record")
LOSSES = {("exec", cause) for cause in NEVER_REACHED_A_SINK}
RECORD_TYPES = ("fork", "exec", "exit")


def storm_log(path):
    """{worker's pid: [(child's pid, code), …] in the order it made them}."""
    made = collections.defaultdict(list)
    for parent, child, code in struct.iter_unpack("=III", path.read_bytes()):
        made[parent].append((child, code))
    return made


def lost_in(counters):
    return sum(counters.get(f"{family}.{cause}", 0) for family, cause in LOSSES)


def run_watched(case, *argv, deadline=300, **popen):
    """Runs it watched and returns its target, once everything of it is counted. Its root's pid is `case.root` then."""
    def balanced():
        now = case.daemon.counters()
        return now["exec.attempt"] == now["exec.delivered"] + lost_in(now)

    with watch(case.daemon, list(map(str, argv)), selector={"types": ["target"]}, **popen) as watched:
        watched.run(deadline)
    case.assertEqual(0, watched.status)
    case.root = watched.pid
    try:
        wait_until(balanced, "attempts = delivered + lost", 20)
    except TimeoutError as error:
        exec_counts = {key: count for key, count in case.daemon.counters().items() if key.startswith("exec.") and count}
        raise AssertionError(f"{error}: {exec_counts}") from None
    return watched.target


class DefaultRing(KernelCase):
    """With the durable sink, the one to count by: a JSON Lines file."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="aa-jsonl-")
        cls.addClassCleanup(folder.cleanup)
        cls.file = pathlib.Path(folder.name) / "events.jsonl"
        cls.settings = {"jsonl.path": cls.file}
        super().setUpClass()

    def written(self, target):
        """The file's events of a target; the file is complete up to the target's end."""
        def complete():
            return any(kind_of_change(e) == "exited" and e["target"]["id"] == target for e in read_lines(self.file))

        wait_until(complete, "the file holds the target's end", 60)
        return [e for e in read_lines(self.file) if e.get("target", {}).get("id") == target]

    def test_storm(self):
        """ledger: fork+exec+exit at full speed (100,000 with --full, else 4,000, fewer in a guest): 0 lost, 0 wrong parents, 0 missing exits, by the workload's own log"""
        for _ in range(4):
            if self.unskipped("exec", self.storm):
                return
        self.fail("the disk was too slow, each time: this proves nothing")

    def storm(self):
        """False: the file has not all that was told, and the daemon says so."""
        log = self.folder / "log"
        log.write_bytes(b"")
        before = self.daemon.counters()
        target = run_watched(self, program("storm"), "exec", STORM, 4, log, program("tiny"))
        after = self.daemon.counters()
        made = storm_log(log)
        self.assertEqual(STORM, sum(map(len, made.values())))
        self.assertEqual(lost_in(before), lost_in(after))
        # The root's exec and exit, four workers' fork and exit; a fork, an exec and an exit for each child.
        self.assertEqual(3 * STORM + 2 + 4 * 2, after["exec.attempt"] - before["exec.attempt"])
        if after["jsonl.sink-stalled"] != before["jsonl.sink-stalled"]:
            return False
        self.compare(made, self.written(target))
        return True

    def compare(self, made, events):
        children = collections.defaultdict(list)  # worker's id → ids of its children, in order
        execs, exits = {}, {}
        numbers = [e["seq"] for e in events]
        self.assertEqual(sorted(set(numbers)), numbers)
        for event in events:
            process = event.get("process", {})
            if event["type"] == "fork":
                children[process["id"]].append(event["fork"]["child_id"])
            elif event["type"] == "exec" and event["process"]["pid"] != self.root:
                self.assertNotIn(process["id"], execs)
                execs[process["id"]] = (process["parent_id"], event["exec"]["argv"])
            elif event["type"] == "exit" and event["process"]["pid"] != self.root:
                self.assertNotIn(process["id"], exits)
                exits[process["id"]] = (process["parent_id"], event["exit"]["code"], event["exit"]["signal"])
        workers = {pid_of(i): i for i in children if pid_of(i) != self.root}
        self.assertEqual(set(made), set(workers))
        for pid, log in made.items():
            worker = workers[pid]
            self.assertEqual([child for child, _ in log], [pid_of(i) for i in children[worker]], "other children")
            for child, (_, code) in zip(children[worker], log):
                self.assertEqual((worker, [program("tiny"), str(code)]), execs.pop(child))
                self.assertEqual((worker, code, 0), exits.pop(child))
        self.assertEqual({}, execs)
        self.assertEqual({*workers.values()}, set(exits))


class TinyRing(KernelCase):
    settings = {"lifecycle.ring_kib": 4, "lineage.reconcile_seconds": 1}

    def test_exact(self):
        """ledger: with a ring of 4 KiB, attempts are what was delivered plus what was lost, exactly, and the loss is told"""
        self.unskipped("exec", self.exact)

    def exact(self):
        log = self.folder / "log"
        log.touch()
        count = STORM // 2
        everything = self.daemon.subscribe()
        before = self.daemon.counters()
        target = run_watched(self, program("storm"), "exec", count, 8, log, program("tiny"))
        after = self.daemon.counters()
        attempts = after["exec.attempt"] - before["exec.attempt"]
        delivered = after["exec.delivered"] - before["exec.delivered"]
        lost = lost_in(after) - lost_in(before)
        self.assertEqual(3 * count + 2 + 8 * 2, attempts, "what the workload did")
        self.assertGreater(lost, 0, "nothing was lost: this proves nothing")
        self.assertEqual(attempts, delivered + lost)
        self.assertEqual(before["subscriber.lost"], after["subscriber.lost"], "the reader was too slow: its count proves nothing")
        everything.wait_for(lambda e: kind_of_change(e) == "exited" and e["target"]["id"] == target)
        records = [e for e in everything.of_type(*RECORD_TYPES) if e["target"]["id"] == target]
        self.assertEqual(delivered, len(records))
        row = self.daemon.targets()[target]
        files = after["file.attempt"] - before["file.attempt"]
        self.assertEqual((attempts + files, lost), (int(row["attempts"]), int(row["lost"])))
        self.told(everything, lost)

    def told(self, stream, lost):
        def said():
            rows = [e["loss"] for e in stream.of_type("loss")]
            rows = [row for row in rows if (row["family"], row["cause"]) in LOSSES]
            return sum(row["count"] for row in rows) == lost and rows

        rows = wait_until(said, "loss events for all of it", 15)
        for row in rows:
            self.assertLessEqual(row["first_boot_ns"], row["last_boot_ns"])
            self.assertGreater(row["first_boot_ns"], 0)
        alert = stream.wait_for(lambda e: e["type"] == "alert" and e["alert"]["kind"] == "events-lost")
        self.assertIn(alert["alert"]["severity"], ("warning", "critical"))
        stream.close()

    def test_repaired(self):
        """lineage: after losses a reconcile repairs it: the living are those that live, under those that forked them"""
        log = self.folder / "log"
        log.touch()
        script = f"{program('storm')} exec {STORM // 5} 8 {log} {program('tiny')}; exec {program('brood')} 300"
        before = lost_in(self.daemon.counters())
        with watch(self.daemon, ["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                   selector={"types": ["target", "alert"]}) as watched:
            watched.go()
            children = set()
            for line in watched.process.stdout:
                word, pid, *_ = line.split()
                if word == b"all":
                    break
                children.add(int(pid))
            self.assertEqual(300, len(children))
            self.assertGreater(lost_in(self.daemon.counters()), before, "nothing was lost: this proves nothing")

            def living():
                rows = self.daemon.tree(watched.target)
                return {int(row["pid"]): str(row["parent_id"]) for row in rows.values() if row["exit"] == -1}

            root = next(i for i in self.daemon.tree(watched.target) if pid_of(i) == watched.pid)
            wait_until(lambda: set(living()) == children | {watched.pid}, "lineage shows the living", 15)
            self.assertEqual({root}, {parent for pid, parent in living().items() if pid != watched.pid})
            watched.process.stdin.close()
            watched.finish(20)
        self.assertEqual({}, living())


if __name__ == "__main__":
    unittest.main()
