"""Agents are found by themselves, from their first instruction on."""

import collections
import os
import subprocess

import dbus

from harness import kind_of_change, program, wait_until
from kernel_case import QUICK, KernelCase

STARTS = 100 if QUICK else 1000
SCRIPT = "#!/bin/sh\n{tiny} 0\n/nonexistent/tool\nexit 0\n"


class AgentCase(KernelCase):
    def setUp(self):
        super().setUp()
        self.stream = self.daemon.subscribe()
        self.addCleanup(self.stream.close)

    def script(self, name, text=None):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or SCRIPT.format(tiny=program("tiny")))
        path.chmod(0o755)
        return path

    def run_it(self, *argv):
        child = subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        child.wait(20)
        return child.pid

    def ended(self, root):
        """The target of the process that had this pid; it has ended."""
        def is_end(event):
            return kind_of_change(event) == "exited" and event["target"]["id"] in of_root

        of_root = set()
        first = self.stream.wait_for(lambda e: e["type"] == "exec" and e["process"]["pid"] == root, 20,
                                     f"the exec of {root}")
        of_root.add(first["target"]["id"])
        self.stream.wait_for(is_end, 20, f"the end of the target of {root}")
        return first["target"]["id"]


class Discovery(AgentCase):
    settings = {"discovery.agents": "claude, /opt/*/special", "discovery.per_uid": 200}

    def test_nothing_of_its_early_life_is_missed(self):
        """discovery: first argv, first child and first failed exec of a script named claude, 1,000 starts in a row (100 without --full)"""
        path = self.script("claude")
        warm = self.run_it(path, "warm")  # wakes the program for failed execs
        self.ended(warm)
        late = [e for e in self.stream.of_type("loss") if e["loss"]["cause"] == "late-attach"]
        self.assertLessEqual(len(late), 1)
        roots = [self.run_it(path, "--number", number) for number in range(STARTS)]
        self.ended(roots[-1])
        by_root = collections.defaultdict(list)
        target_of = {}
        for event in list(self.stream.events):
            if event["type"] == "exec" and event["exec"]["argv"][2:3] == ["--number"]:
                target_of[event["target"]["id"]] = int(event["exec"]["argv"][3])
            if "target" in event:
                by_root[event["target"]["id"]].append(event)
        self.assertEqual(sorted(target_of.values()), list(range(STARTS)), "first argv")
        for target, number in target_of.items():
            events = by_root[target]
            with self.subTest(number):
                self.assertEqual("claude", events[0]["target"]["name"])
                self.assertEqual("added", kind_of_change(events[0]))
                children = [e for e in events if e["type"] == "fork"]
                self.assertTrue(children, "first child")
                failed = [e["exec"]["filename"] for e in events if e["type"] == "exec" and e["exec"]["result"] < 0]
                self.assertIn("/nonexistent/tool", failed)
        self.assertEqual(0, self.daemon.counters().get("exec.no-spare", 0))

    def resting(self):
        """{program: family} of those in standby."""
        return {str(row[1]): str(row[0]) for row in self.daemon.property("ProbeStates") if row[2] == "standby"}

    def in_state(self, *states):
        return {str(row[1]) for row in self.daemon.property("ProbeStates") if row[2] in states}

    def rests(self):
        """The programs that rest while nothing is watched: of system calls too, where files are told of those."""
        pair = {"aa_file_enter", "aa_file_exit"}
        return {"aa_failed_exec", *(pair & self.in_state("standby", "attached"))}

    def test_what_rested_is_a_dated_loss(self):
        """discovery: what resting programs would have told before they were woken is a dated loss of each family"""
        wait_until(lambda: self.rests() <= set(self.resting()), f"{self.rests()} rest", 30)
        families = sorted(set(self.resting().values()))
        seen = len(self.stream.of_type("loss"))
        self.ended(self.run_it(self.script("claude")))
        late = [e["loss"] for e in self.stream.of_type("loss")[seen:] if e["loss"]["cause"] == "late-attach"]
        self.assertEqual(families, sorted(loss["family"] for loss in late))
        for loss in late:
            self.assertLess(0, loss["first_boot_ns"])
            self.assertLessEqual(loss["first_boot_ns"], loss["last_boot_ns"])

    def test_the_pair_of_system_calls_rests(self):
        """discovery: what sees every system call rests while nothing is watched, is attached while something is, and rests again"""
        if len(self.rests()) < 3:
            self.skipTest("files are not told of system calls here")
        wait_until(lambda: self.rests() <= set(self.resting()), f"{self.rests()} rest", 30)
        path = self.script("claude", "#!/bin/sh\nread line\n")
        child = subprocess.Popen([path], stdin=subprocess.PIPE)
        self.addCleanup(child.wait)
        self.addCleanup(child.stdin.close)
        wait_until(lambda: self.rests() <= self.in_state("attached"), f"{self.rests()} are attached", 20)
        child.stdin.close()
        self.ended(child.pid)
        wait_until(lambda: self.rests() <= set(self.resting()), f"{self.rests()} rest again", 30)

    def test_a_name_that_is_only_an_argument(self):
        """discovery: a listed word that is an argument only, or another file's name, is let go without a trace"""
        self.script("claude", "text\n")
        before = self.stream.until_quiet()
        self.run_it("/bin/cat", self.folder / "claude")
        self.run_it("/bin/true", "claude", "claude")
        self.run_it(self.script("claude-desktop"))
        self.assertEqual(before, self.stream.until_quiet())
        self.assertEqual([], [t for t in self.daemon.targets().values() if t["state"] == "running"])

    def test_by_interpreter_and_by_path(self):
        """discovery: python -m NAME and a path with a pattern are found; the target says where it came from"""
        path = self.script("claude.py", "import sys\n")
        (self.folder / "claude").mkdir()
        self.script("claude/__main__.py", "pass\n")
        pid = subprocess.Popen(["/usr/bin/python3", "-m", "claude"], cwd=self.folder)
        pid.wait(20)
        target = self.ended(pid.pid)
        self.assertEqual("discovered", self.daemon.targets()[target]["source"])
        self.assertTrue(path.exists())

    def test_the_tree_goes_up_to_one(self):
        """discovery: the ancestry of a discovered agent is known up to process 1"""
        path = self.script("claude", "#!/bin/sh\nread line\n")
        child = subprocess.Popen([path], stdin=subprocess.PIPE)
        self.addCleanup(child.wait)
        self.addCleanup(child.stdin.close)
        self.stream.wait_for(lambda e: e["type"] == "exec" and e["process"]["pid"] == child.pid, 20, "its exec")

        def complete():
            rows = self.daemon.lineage.GetAncestry(dbus.UInt32(child.pid))
            return int(rows[-1][3]) == 1 and int(rows[1][3]) == os.getpid()

        wait_until(complete, "the ancestry reaches process 1", 20)


class PerUser(AgentCase):
    settings = {"discovery.agents": "claude", "discovery.per_uid": 1}

    def test_a_second_one_of_the_same_user(self):
        """discovery: beyond the limit of a user nothing is watched, and that is counted"""
        path = self.script("claude", "#!/bin/sh\nread line\n")
        first = subprocess.Popen([path], stdin=subprocess.PIPE)
        self.addCleanup(first.wait)
        self.addCleanup(first.stdin.close)
        self.stream.wait_for(lambda e: kind_of_change(e) == "added", 20, "the first target")
        self.run_it(self.script("x/claude"))
        loss = self.stream.wait_for(lambda e: e["type"] == "loss" and e["loss"]["cause"] == "agents-per-uid", 20, "the loss")
        self.assertEqual(1, loss["loss"]["count"])
        self.assertEqual(1, len([t for t in self.daemon.targets().values() if t["state"] == "running"]))
