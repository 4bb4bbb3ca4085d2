"""What the configuration says of sinks holds: the log, the bus's signals, the file and the disk below it."""

import datetime
import json
import shutil
import subprocess
import time
import unittest

from deadline import end_at_exit
from harness import aactl_path, wait_until, watch
from test_reload import ReloadCase, deny
from test_runtime import RuntimeCase


class Live(ReloadCase):
    settings = {"discovery.agents": ""}  # nobody else is told of

    def setUp(self):
        super().setUp()
        self.addCleanup(self.reload, "")
        self.secret_path = self.secret()

    def said(self, section):
        """What the daemon logs of an alert of each severity, and of a loss, after a reload with this section."""
        self.reload(section + deny(self.secret_path))
        before = len(self.daemon.stderr.read_text())
        account, _ = self.watched_path("/bin/bash", "-c", f'read x <{self.secret_path}; sh -c :; echo Yg== | base64 -d | sh; true')
        told = {event["alert"]["severity"] for event in account.of_type("alert")}
        self.assertLessEqual({"info", "warning", "critical"}, told)
        log = self.daemon.stderr.read_text()[before:]
        return {word for word in ("info: alert", "warning: alert", "error: alert") if word in log}

    def test_journal(self):
        """sinks: the log tells alerts from journal.min_severity up, none when it is off, from the reload on"""
        for severity, wanted in (("info", {"info: alert", "warning: alert", "error: alert"}),
                                 ("warning", {"warning: alert", "error: alert"}), ("critical", {"error: alert"}),
                                 ("off", set())):
            with self.subTest(severity):
                self.assertEqual(wanted, self.said(f'[journal]\nmin_severity = "{severity}"\n'))

    def test_signals(self):
        """sinks: alerts are announced on the bus, and no more once dbus.signals is off"""
        if shutil.which("dbus-monitor") is None:
            self.skipTest("needs dbus-monitor")
        with (self.folder / "heard").open("wb") as out:
            monitor = subprocess.Popen(["dbus-monitor", "--address", self.bus.address,
                                        "type='signal',interface='org.agentassembly.Ebpfd1.Manager'"], stdout=out,
                                       stderr=subprocess.DEVNULL)
        end_at_exit(monitor)
        self.addCleanup(monitor.wait)
        self.addCleanup(monitor.kill)

        def heard(member):
            return (self.folder / "heard").read_text().count(f"member={member}\n")

        # The signal of a reload shows that the monitor listens, and that what came before it was heard.
        def reloaded(text):
            before = heard("Reloaded")
            self.reload(text)
            wait_until(lambda: heard("Reloaded") > before, "the reload is heard")

        def listens():
            self.reload()
            return heard("Reloaded") > 0

        wait_until(listens, "the monitor listens")
        reloaded(deny(self.secret_path))
        self.watched_path("/bin/cat", self.secret_path)
        reloaded('[dbus]\nsignals = "off"\n' + deny(self.secret_path))
        on = heard("Alert")
        self.assertEqual(1, on)
        self.watched_path("/bin/cat", self.secret_path)
        reloaded("")
        self.assertEqual(on, heard("Alert"))


class File(RuntimeCase):
    def syncs(self, **settings):
        """How often the daemon asks the disk to keep what it wrote, while a program is watched."""
        trace = self.folder / "trace"
        with self.daemon(**{"jsonl.path": self.folder / "events.jsonl", "discovery.agents": "", **settings}) as daemon:
            strace = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", trace, "-p", str(daemon.pid)],
                                      stderr=subprocess.PIPE, text=True)
            end_at_exit(strace)
            wait_until(lambda: self.is_traced(daemon.pid), "strace has attached")
            with watch(daemon, ["/bin/true"]) as watched:
                watched.run()
            wait_until(lambda: daemon.counters()["jsonl.written"] >= 4, "its events are written")
            strace.terminate()
            strace.communicate(timeout=20)
        return len([line for line in trace.read_text().splitlines() if "sync(" in line])

    @staticmethod
    def is_traced(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return "TracerPid:\t0\n" not in status.read()

    def test_fsync(self):
        """sinks: with jsonl.fsync = batch the disk is told to keep what was written, else it is not"""
        if shutil.which("strace") is None:
            self.skipTest("needs strace")
        self.assertEqual(0, self.syncs())
        self.assertLess(0, self.syncs(**{"jsonl.fsync": "batch"}))

    def since(self, moment, *words):
        done = subprocess.run([aactl_path(), "--bus", self.bus.address, "events", "--since", moment, *words],
                              stdout=subprocess.PIPE, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_since_in_renamed_files(self):
        """sinks: aactl events --since reads the renamed files too, oldest first, and stops where nothing older is wanted"""
        path = self.folder / "events.jsonl"
        with self.daemon(**{"jsonl.path": path, "jsonl.max_mib": 1, "jsonl.files": 9,
                            "discovery.agents": ""}) as daemon:
            with watch(daemon, ["/bin/bash", "-c", "for i in {1..3000}; do (:); done"]) as watched:
                watched.run(120)
            wait_until(lambda: daemon.counters()["jsonl.written"] >= 6000, "all is in the files")
            self.assertTrue((self.folder / "events.jsonl.2").exists())
            events = self.since("1h")
            numbers = [event["seq"] for event in events]
            self.assertEqual(sorted(set(numbers)), numbers)
            names = sorted(self.folder.glob("events.jsonl*"))
            self.assertEqual(sum(len(name.read_text().splitlines()) for name in names), len(events))
            self.assertEqual(6000, len([e for e in events if e["type"] in ("fork", "exit")]) - 1)
            # What is too old for the newest file's beginning is in no older one.
            first = json.loads(path.read_text().splitlines()[0])["time"]
            (self.folder / "events.jsonl.1").write_text('{"v":1,"seq":1,"time":"2100-01-01T00:00:00Z"}\n')
            later = datetime.datetime.fromisoformat(first[:19]) + datetime.timedelta(seconds=1)
            time.sleep(max(0.0, (later - datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)).total_seconds()))
            with watch(daemon, ["/bin/true"]) as watched:
                watched.run()
            self.assertNotIn(1, [event["seq"] for event in self.since(later.isoformat() + "Z")])


if __name__ == "__main__":
    unittest.main()
