"""What a user does with the installed daemon under systemd, command by command, with exact outcomes."""

import json
import os
import pathlib
import re
import select
import stat
import subprocess
import unittest

from deadline import PATIENCE, Deadline, end_at_exit, wait_until
from guest_case import LINEAGE, MANAGER, UNIT, AgentCase, bus_owner, call, our_programs, own_words, run, show, status_of
from harness import NAME, PATH

INSTALLED = {
    "/usr/sbin/aa-ebpfd": 0o755,
    "/usr/bin/aactl": 0o755,
    "/usr/lib/systemd/system/aa-ebpfd.service": 0o644,
    "/usr/lib/sysusers.d/aa-ebpfd.conf": 0o644,
    "/usr/share/dbus-1/interfaces/org.agentassembly.Ebpfd1.Manager.xml": 0o644,
    "/usr/share/dbus-1/interfaces/org.agentassembly.Ebpfd1.Lineage.xml": 0o644,
    "/usr/share/dbus-1/system.d/org.agentassembly.Ebpfd1.conf": 0o644,
    "/etc/aa-ebpfd/config.toml": 0o644,
}


RUN_BY_THE_DAEMON = {"aa_file_learn", "aa_scan"}  # rather than attached to something


class Follower:
    """aactl events, as JSON Lines, from now on."""

    def __init__(self):
        self.process = subprocess.Popen(["aactl", "--json", "events"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        end_at_exit(self.process)
        self.unread = bytearray()  # of the line that has not come whole
        wait_until(lambda: int(call_property("subscriber.open")) > 0, "aactl is subscribed")

    def until(self, wanted):
        """Every event up to the first that `wanted` is true for."""
        events = []
        deadline = Deadline(60, "the event that is waited for")
        while True:
            line, newline, rest = self.unread.partition(b"\n")
            if not newline:
                self.fill(deadline, events)
                continue
            self.unread = rest
            events.append(json.loads(line))
            if wanted(events[-1]):
                return events

    def fill(self, deadline, events):
        stdout = self.process.stdout.fileno()
        if not select.select([stdout], [], [], deadline.left())[0]:
            deadline.check(f"of {len(events)} events the last: {events[-3:]}")
            return
        piece = os.read(stdout, 1 << 16)
        if not piece:
            raise AssertionError(f"aactl events ended: {events}")
        self.unread += piece

    def end(self):
        self.process.terminate()
        self.process.wait(60 * PATIENCE)
        self.process.stdout.close()


def call_property(counter):
    text = run("busctl", "get-property", NAME, PATH, MANAGER, "Counters")
    return re.search(rf'"{re.escape(counter)}" (\d+)', text).group(1)


class Journey(AgentCase):
    """Each test begins with a daemon of its own."""

    def test_installed(self):
        """journey: meson install puts every file where Debian looks for it, and systemd finds no fault in the unit"""
        modes = {path: stat.S_IMODE(pathlib.Path(path).stat().st_mode) for path in INSTALLED if pathlib.Path(path).exists()}
        self.assertEqual(INSTALLED, modes)
        self.assertRegex(run("getent", "group", "aa-ebpfd"), r"^aa-ebpfd:x:\d+:$")
        self.assertEqual("disabled", status_of("systemctl", "is-enabled", UNIT)[1])
        self.assertEqual("", run("systemd-analyze", "verify", UNIT))
        self.assertEqual("the configuration is valid",
                         run("aa-ebpfd", "--check-config", "--config", "/etc/aa-ebpfd/config.toml"))

    def test_watch(self):
        """journey: StartMonitoring on a live process, what it runs is an event, and its lineage is answered"""
        self.start(light=True)
        agent = self.agent()
        target = self.watch(agent.pid)
        follower = Follower()
        self.addCleanup(follower.end)
        agent.work()
        events = follower.until(lambda e: e["type"] == "exit")
        mine = [e for e in events if e.get("target", {}).get("id") == target and e["type"] != "file"]
        self.assertEqual(["fork", "exec", "exit"], [e["type"] for e in mine])
        fork, execed, ended = mine
        self.assertEqual(agent.pid, fork["process"]["pid"])
        child = fork["fork"]["child_pid"]
        self.assertEqual([child, child], [execed["process"]["pid"], ended["process"]["pid"]])
        self.assertEqual(["/bin/sleep", "0.1"], execed["exec"]["argv"])
        self.assertEqual((0, 0), (ended["exit"]["code"], ended["exit"]["signal"]))
        self.assertIn(f"/{run('systemctl', 'show', '--value', '-p', 'Id', 'aa-guest.service')}", fork["process"]["cgroup"])
        self.assertEqual("b true", call(LINEAGE, "IsDescendantOf", "uu", child, agent.pid))
        self.assertEqual("b false", call(LINEAGE, "IsDescendantOf", "uu", agent.pid, child))
        ancestry = call(LINEAGE, "GetAncestry", "u", child)
        pids = [int(row.group(1)) for row in re.finditer(r'"(\d+)-\d+" "(?:\d+-\d+)?" \d+ \d+ \d+', ancestry)]
        self.assertEqual([child, agent.pid], pids[:2])
        self.assertEqual(1, pids[-1], "ancestry reaches process 1")
        self.assertEqual("", call(MANAGER, "StopMonitoring", "s", target))
        self.assertEqual("a(ssussta{sv}) 0", call(MANAGER, "ListTargets"))

    def test_disable(self):
        """journey: disable --now stops it, leaves no program in the kernel and no name on the bus"""
        self.start(light=True)
        self.assertTrue(pathlib.Path("/etc/systemd/system/multi-user.target.wants/aa-ebpfd.service").is_symlink())
        run("systemctl", "disable", "--now", UNIT)
        self.assertEqual((1, "disabled"), status_of("systemctl", "is-enabled", UNIT))
        self.assertEqual((3, "inactive"), status_of("systemctl", "is-active", UNIT))
        self.assertFalse(pathlib.Path("/etc/systemd/system/multi-user.target.wants/aa-ebpfd.service").exists())
        self.assertEqual("success", show("Result"))
        self.assertIsNone(bus_owner())
        wait_until(lambda: our_programs() == [], "no program of ours is left")
        status, text = status_of("aactl", "status")
        self.assertEqual(3, status, text)


class WholeJourney(AgentCase):
    """One daemon with all families, which take seconds here to start and to end: first as it is, then restarted."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(cls.stop)
        cls.start()

    def setUp(self):
        """It stays."""

    def test_enable(self):
        """journey: enable --now starts it, status shows it running and what it watches, the name on the bus is its own"""
        pid = int(show("MainPID"))
        self.assertEqual("enabled", run("systemctl", "is-enabled", UNIT))
        self.assertEqual("active", run("systemctl", "is-active", UNIT))
        self.assertEqual(pid, bus_owner())
        status, text = status_of("systemctl", "status", "--no-pager", UNIT)
        self.assertEqual(0, status)
        self.assertIn("Active: active (running)", text)
        self.assertRegex(text, r"Loaded: loaded \((?:/usr)?/lib/systemd/system/aa-ebpfd\.service; enabled;")
        self.assertRegex(text, r'Status: "watching 0 process\(es\) of 0 target\(s\), \d+ event\(s\) delivered"')
        self.assertIn(f"Main PID: {pid} (aa-ebpfd)", text)
        self.assertEqual("success", show("Result"))
        states = json.loads(run("busctl", "--json=short", "get-property", NAME, PATH, MANAGER, "ProbeStates"))["data"]
        attached = {(family, program) for family, program, state, *_ in states if state in ("attached", "standby")}
        self.assertEqual({"exec", "file", "tls"}, {family for family, _ in attached})
        self.assertIn(("tls", "libssl.so.3"), attached)  # of that family the libraries are told, not the programs
        in_kernel = {program.partition("__")[0] for program in our_programs()}  # behind it: for which kernels it is
        of_tls = {program for program in in_kernel if program.startswith(("aa_tls_", "aa_in_", "aa_life_"))}
        self.assertIn("aa_tls_return", of_tls)
        told = {program for family, program in attached if family != "tls"}
        self.assertEqual(RUN_BY_THE_DAEMON, in_kernel - of_tls - told)
        self.assertLessEqual(told, in_kernel)
        self.assertRegex(own_words(), r"(?m)^info: ready: ")
        self.assertNotRegex(own_words(), r"(?m)^(?:warning|error|critical|aa-ebpfd): ")

    def test_restart(self):
        """journey: a restart is a new daemon that owns the name, leaves no second set of programs, and goes on watching"""
        pid = int(show("MainPID"))
        before = sorted(our_programs())
        target = self.watch(self.agent().pid)
        run("systemctl", "restart", UNIT)
        follower = int(show("MainPID"))
        self.assertNotEqual(pid, follower)
        self.assertEqual(follower, bus_owner())
        wait_until(lambda: sorted(our_programs()) == before, "only the new daemon's programs are left")
        self.assertIn(target, call(MANAGER, "ListTargets"))
        self.watch(self.agent().pid)
        self.make_light()
        run("systemctl", "stop", UNIT)
        run("systemctl", "start", UNIT)
        self.assertEqual("a(ssussta{sv}) 0", call(MANAGER, "ListTargets"))


if __name__ == "__main__":
    unittest.main()
