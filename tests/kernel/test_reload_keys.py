"""Each key of the configuration: a good value is taken, a bad one refused by its name, and a reload does what the table of keys says.

Of a key that takes effect at a restart: that is said, and nothing changes. Of one that is live: what is seen of the daemon
is another thing after the reload, and what it was once the key is taken back. A key without an entry here fails.
"""

import pathlib
import pwd
import re
import shutil
import subprocess
import time
import unittest

import dbus

from deadline import PATIENCE, end_at_exit
from harness import NAME, PATH, aactl_path, daemon_path, wait_until
from kernel_maps import KernelMaps, maps_of, opened
from paths import ROOT
from test_reload import Reload, ReloadCase, UnderLoad, Watching
from test_sinks import Live as Sinks

# (a good value, a bad one) as TOML has them.
VALUES = {
    "lifecycle.ring_kib": ("4096", "4097"),
    "lifecycle.argv_bytes": ("1000", "-1"),
    "lifecycle.hooks": ('"raw_tp"', '"fentry"'),
    "watched.limit": ("65535", "15"),
    "watched.share": ("1000", "0"),
    "lineage.keep_exited_seconds": ("0", "604801"),
    "lineage.keep_exited_count": ("0", "-1"),
    "lineage.text_mib": ("65", "0"),
    "lineage.reconcile_seconds": ("1", "0"),
    "file.ring_kib": ("8192", "3"),
    "file.hooks": ('"tracepoint"', '"tp_btf"'),
    "file.reads": ('"each"', '"all"'),
    "file.interval_ms": ("20", "9"),
    "file.sums": ("32768", "15"),
    "tls.ring_kib": ("4096", "64"),
    "tls.call_kib": ("512", "0"),
    "tls.calls": ("32768", "true"),
    "tls.connections": ("32768", "true"),
    "tls.hooks": ('"uprobe"', '"kprobe"'),
    "tls.return_probes": ('"auto"', '"on"'),
    "tls.hold_new_library": ('"on"', '"auto"'),
    "tls.hold_ms": ("10", "10001"),
    "tls.scope": ('"watched"', '"all"'),
    "paths.shipped": ('"off"', '"no"'),
    "paths.include": ('["/dev/shm/aa-key-rules"]', '["more.rules"]'),
    "detect.min_severity": ('"critical"', '"high"'),
    "detect.off": ('["temp"]', '["tempp"]'),
    "discovery.agents": ('"test-found"', '"a b"'),
    "discovery.per_uid": ("1", "256"),
    "families.file": ('"off"', "true"),
    "families.tls": ('"off"', "1"),
    "families.detect": ('"off"', '"yes"'),
    "jsonl.path": ('"/nonexistent/events.jsonl"', '"events.jsonl"'),
    "jsonl.max_mib": ("1", "-1"),
    "jsonl.files": ("6", "0"),
    "jsonl.fsync": ('"batch"', '"always"'),
    "jsonl.group": ('"daemon"', '"no-such-group"'),
    "journal.min_severity": ('"off"', '"error"'),
    "dbus.signals": ('"off"', '"none"'),
    "access.users": ('["nobody"]', '["no-such-user"]'),
    "access.groups": ('["daemon"]', '["no-such-group"]'),
    "reload.watch": ('"on"', '"yes"'),
    "log.level": ('"error"', '"critical"'),
}
# Of the live keys: the test of the reload. They are below where no other test is about the key anyway.
LIVE = {
    "lineage.keep_exited_seconds": "test_exited_are_forgotten",
    "lineage.keep_exited_count": "test_exited_are_forgotten",
    "lineage.reconcile_seconds": "test_reconciled_more_often",
    "file.interval_ms": "test_sums_more_often",
    "paths.shipped": "test_shipped_rules",
    "paths.include": UnderLoad.test_many_rules,
    "detect.min_severity": "test_detector_silent",
    "detect.off": Reload.test_detection_rules,
    "discovery.agents": "test_other_agents",
    "discovery.per_uid": "test_fewer_agents",
    "families.detect": "test_detector_silent",
    "journal.min_severity": Sinks.test_journal,
    "dbus.signals": Sinks.test_signals,
    "access.users": "test_admitted",
    "access.groups": "test_admitted",
    "reload.watch": Watching.test_files_are_watched,
    "log.level": "test_log_level",
}


def line_of(key, value):
    section, name = key.split(".")
    return f"[{section}]\n{name} = {value}\n"


def documented():
    """{key: "live" or "restart"} of docs/config.md, which the unit tests hold to the daemon's own table."""
    rows = re.findall(r"^\| `(\w+\.\w+)` \|.*\| (live|restart) \|", (ROOT / "docs/config.md").read_text(), re.MULTILINE)
    return dict(rows)


class Table(unittest.TestCase):
    def daemon(self, option, text):
        """Its exit status and what it says about a configuration with this text."""
        file = pathlib.Path("/dev/shm/aa-key.toml")
        self.addCleanup(file.unlink, missing_ok=True)
        file.write_text(text)
        done = subprocess.run([daemon_path(), "--config", file, option], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=20 * PATIENCE)
        return done.returncode, done.stdout

    def test_every_key(self):
        """keys: each key that the daemon knows has a good and a bad value here, and a test of its reload if it is live"""
        status, printed = self.daemon("--print-config", "")
        self.assertEqual(0, status, printed)
        keys, section = [], ""
        for line in printed.splitlines():
            if found := re.fullmatch(r"\[(\w+)\]", line):
                section = found.group(1)
            elif found := re.match(r"(\w+) = ", line):
                keys.append(f"{section}.{found.group(1)}")
        self.assertEqual(sorted(keys), sorted(VALUES))
        self.assertEqual(sorted(keys), sorted(documented()))
        self.assertEqual(sorted(key for key, applies in documented().items() if applies == "live"), sorted(LIVE))
        missing = [test for test in LIVE.values() if not callable(test) and not hasattr(Live, test)]
        self.assertEqual([], missing)

    def test_good_and_bad(self):
        """keys: of each key a good value is in force and where it came from is said, a bad one is refused by the key's name"""
        rules = pathlib.Path("/dev/shm/aa-key-rules")
        rules.write_text("")
        self.addCleanup(rules.unlink)
        good, bad = (self.whole(which) for which in (0, 1))
        status, printed = self.daemon("--print-config", good)
        self.assertEqual(0, status, printed)
        status, refused = self.daemon("--check-config", bad)
        self.assertEqual((2, len(VALUES)), (status, len(refused.splitlines())), refused)
        for key, values in VALUES.items():
            with self.subTest(key):
                name = key.partition(".")[2]
                line, = (number for number, text in enumerate(good.splitlines(), 1) if text.endswith(f"# {key}"))
                self.assertIn(f"\n{name} = {values[0]}  # /dev/shm/aa-key.toml:{line}\n", printed)
                self.assertRegex(refused, rf"(?m)^aa-ebpfd: /dev/shm/aa-key\.toml:{line}:\d+: {key} \S.*$")

    @staticmethod
    def whole(which):
        """A configuration with the good (0) or bad (1) value of every key, each in a line of its own."""
        sections = {}
        for key, values in VALUES.items():
            section, name = key.split(".")
            sections.setdefault(section, []).append(f"{name} = {values[which]}  # {key}\n")
        return "".join(f"[{section}]\n{''.join(lines)}" for section, lines in sections.items())


class Restart(ReloadCase):
    def sizes(self):
        """{name: entries} of the maps in the kernel; those of a set of path rules are made anew with it."""
        found = {}
        for name, number in maps_of(self.daemon.pid).items():
            with opened(number) as (_, info):
                found[name] = info.max_entries
        return found

    def test_restart_keys(self):
        """keys: of each that takes effect at a restart a reload says so and changes nothing, and says no more once it is taken back"""
        before = self.sizes(), KernelMaps(self.daemon.pid).comparable(), self.daemon.property("ProbeStates")
        for key in [key for key, applies in documented().items() if applies == "restart"]:
            with self.subTest(key):
                heard = len(self.daemon.stderr.read_text())
                self.reload(line_of(key, VALUES[key][0]))
                said = self.daemon.stderr.read_text()[heard:]
                self.assertEqual([key], list(map(str, self.daemon.property("AwaitingRestart"))))
                self.assertIn(f"changed: {key}; takes effect at restart: {key}\n", said)
                self.assertEqual(before, (self.sizes(), KernelMaps(self.daemon.pid).comparable(),
                                          self.daemon.property("ProbeStates")))
                self.reload("")
                self.assertEqual([], list(self.daemon.property("AwaitingRestart")))


class Live(ReloadCase):
    settings = {"families.tls": "off"}

    def seen(self, look, default, changed, *keys):
        """What is seen by default, with each of these keys, and by default again; live keys await nothing."""
        self.addCleanup(self.reload, "")
        self.reload("")
        self.assertEqual(default, look())
        for key in keys:
            with self.subTest(key):
                self.reload(line_of(key, VALUES[key][0]))
                self.assertEqual([], list(self.daemon.property("AwaitingRestart")))
                self.assertEqual(changed, look())
                self.reload("")
                wait_until(lambda: look() == default, "it is as it was")

    def test_exited_are_forgotten(self):
        """keys: lineage.keep_exited_seconds and keep_exited_count: with 0 who has exited is forgotten"""
        self.addCleanup(self.reload, "")
        for key in ("lineage.keep_exited_seconds", "lineage.keep_exited_count"):
            with self.subTest(key):
                self.watched_path("/bin/true")
                exited = self.last.pid
                self.watched_path("/bin/true")
                self.assertTrue(self.knows(exited))
                self.reload(line_of(key, VALUES[key][0]))
                self.watched_path("/bin/true")
                wait_until(lambda: not self.knows(exited), "it is forgotten", 5)
                self.reload("")

    def knows(self, pid):
        try:
            self.daemon.lineage.GetProcess(dbus.UInt32(pid))
        except dbus.DBusException:
            return False
        return True

    def test_reconciled_more_often(self):
        """keys: lineage.reconcile_seconds: the kernel's processes are read every second instead of every minute"""
        child = subprocess.Popen(["/bin/sleep", "1000"], stdin=subprocess.DEVNULL)
        end_at_exit(child)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.daemon.start(child.pid)

        def bytes_read():
            return int(pathlib.Path(f"/proc/{self.daemon.pid}/io").read_text().split()[1])

        def is_read_often():
            """All processes, within little more than a second."""
            before, end = bytes_read(), time.monotonic() + 1.2 * PATIENCE
            while time.monotonic() < end and bytes_read() - before < 64 * len(list(pathlib.Path("/proc").glob("[0-9]*"))):
                time.sleep(0.05)
            return time.monotonic() < end

        self.seen(is_read_often, False, True, "lineage.reconcile_seconds")

    def test_sums_more_often(self):
        """keys: file.interval_ms: sums of reads are told more often"""
        path = self.secret(size=1 << 16)

        def is_told_often():
            """More than twice a second, however long it takes here."""
            begin = time.monotonic()
            account, _ = self.watched_path("/bin/bash", "-c",
                                           f"exec 3<{path}; for i in {{1..20}}; do read -N 1 -u 3 x; sleep 0.02; done")
            reads = [e for e in account.of_type("file") if e["file"]["path"] == str(path) and e["file"]["op"] == "read"]
            return len(reads) > 3 + 2 * (time.monotonic() - begin)

        self.seen(is_told_often, False, True, "file.interval_ms")

    def test_shipped_rules(self):
        """keys: paths.shipped: without the shipped list /etc/shadow is no secret"""
        self.seen(lambda: str(self.daemon.manager.TestPath("/etc/shadow")[0]), "deny", "none", "paths.shipped")

    def test_detector_silent(self):
        """keys: detect.min_severity and families.detect: a shell is no alert beyond them"""
        def severities():
            account, _ = self.watched_path("/bin/bash", "-c", "sh -c :; true")
            return {event["alert"]["severity"] for event in account.of_type("alert")}

        self.seen(severities, {"info"}, set(), "detect.min_severity", "families.detect")

    def setUp(self):
        super().setUp()
        self.agent = self.folder / "test-found"  # called like no shipped agent
        self.agent.write_text("#!/bin/bash\nread -r line\n")
        self.agent.chmod(0o755)

    def discovered(self, count):
        """How many of so many agents that run side by side are discovered."""
        agents = [subprocess.Popen([self.agent], stdin=subprocess.PIPE) for _ in range(count)]
        pids = {agent.pid for agent in agents}
        for agent in agents:
            end_at_exit(agent)
        self.watched_path("/bin/true")  # what it does is told after what they did
        found = {row["pid"] for row in self.daemon.targets().values() if row["source"] == "discovered"} & pids
        for agent in agents:
            agent.stdin.close()
            agent.wait()
        wait_until(lambda: not any(row["state"] == "running" for row in self.daemon.targets().values()), "they have ended")
        return len(found)

    def test_other_agents(self):
        """keys: discovery.agents: who is called so is discovered from the reload on"""
        self.seen(lambda: self.discovered(1), 0, 1, "discovery.agents")

    def test_fewer_agents(self):
        """keys: discovery.per_uid: of two agents of one user one is discovered"""
        conf_d = self.etc / "conf.d"
        conf_d.mkdir()
        self.addCleanup(shutil.rmtree, conf_d)
        (conf_d / "agents.toml").write_text('[discovery]\nagents = "test-found"\n')
        self.seen(lambda: self.discovered(2), 2, 1, "discovery.per_uid")

    def test_admitted(self):
        """keys: access.users and access.groups: whom they name may call, and nobody else but root"""
        user = pwd.getpwnam("nobody")

        def may_call():
            done = subprocess.run(
                ["dbus-send", f"--bus={self.bus.address}", f"--dest={NAME}", "--print-reply", PATH, f"{NAME}.Manager.ListTargets"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/", user=user.pw_uid, group="daemon",
                extra_groups=[])
            self.assertIn(done.returncode, (0, 1), done.stderr)
            self.assertTrue(done.returncode == 0 or "NotAuthorized" in done.stderr, done.stderr)
            return done.returncode == 0

        self.seen(may_call, False, True, "access.users", "access.groups")

    def test_taken_out(self):
        """keys: access.users: who is taken out of it loses the stream of events that he has, root keeps his"""
        self.reload('[access]\nusers = ["nobody"]\n')

        def follow(**user):
            reader = subprocess.Popen([aactl_path(), "--bus", self.bus.address, "events"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", **user)
            end_at_exit(reader)
            return reader

        nobodys, roots = follow(user="nobody", group="daemon", extra_groups=[]), follow()
        wait_until(lambda: self.daemon.counters()["subscriber.open"] == 2, "both read")
        self.reload("")
        self.assertIn(b"ended the stream of events", nobodys.communicate(timeout=20 * PATIENCE)[1])
        self.assertIsNone(roots.poll())
        self.assertEqual(1, self.daemon.counters()["subscriber.open"])

    def test_log_level(self):
        """keys: log.level: at error the log does not tell of a reload"""
        def is_told():
            before = len(self.daemon.stderr.read_text())
            self.reload()
            return len(self.daemon.stderr.read_text()) > before

        self.seen(is_told, True, False, "log.level")


del ReloadCase, Reload, UnderLoad, Watching, Sinks  # their tests run where they are


if __name__ == "__main__":
    unittest.main()
