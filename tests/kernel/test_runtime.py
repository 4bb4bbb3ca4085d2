"""What was said over the bus outlives the daemon; what a sink is told holds."""

import grp
import json
import os
import pwd
import subprocess
import unittest

import dbus

from deadline import end_at_exit
from harness import CALL_TIMEOUT, Daemon, aactl_path, error_of, wait_until, watch
from kernel_case import OwnDaemonCase
from test_imports import AGENT, Agent


class RuntimeCase(OwnDaemonCase):
    def setUp(self):
        super().setUp()
        self.etc = self.folder / "etc"
        self.etc.mkdir()
        (self.etc / "config.toml").write_text("")

    def daemon(self, **settings):
        return Daemon(self.bus, "--config", str(self.etc / "config.toml"), settings=settings,
                      env={"RUNTIME_DIRECTORY": str(self.folder)})

    def sleeper(self):
        child = subprocess.Popen(["/bin/sleep", "1000"], stdin=subprocess.DEVNULL)
        end_at_exit(child)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def aactl(self, *words):
        return subprocess.run([aactl_path(), "--bus", self.bus.address, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)


class Runtime(RuntimeCase):
    def deny(self, daemon, *patterns):
        daemon.manager.UpdatePathFilter(dbus.Array([(p, "deny") for p in patterns], signature="(ss)"),
                                        timeout=CALL_TIMEOUT)

    def runtime_rules(self, daemon):
        _, rules = daemon.manager.GetPathFilter(timeout=CALL_TIMEOUT)
        return [str(rule[0]) for rule in rules if str(rule[2]) == "runtime"]

    def test_kept(self):
        """runtime: targets and rules of the bus outlive the daemon, by process id: a pid that is another's is not watched"""
        keeps, ends = self.sleeper(), self.sleeper()
        with self.daemon() as daemon:
            target = daemon.start(keeps.pid, name="kept")
            daemon.start(ends.pid)
            self.deny(daemon, "/srv/x")
            file = self.folder / "runtime.json"
            wait_until(lambda: file.exists() and "/srv/x" in file.read_text(), "it is written")
            self.assertEqual(0o600, file.stat().st_mode & 0o777)
        state = json.loads(file.read_text())
        self.assertEqual(2, len(state["targets"]))
        for row in state["targets"]:
            if row["pid"] == ends.pid:
                row["start_ns"] -= 1  # as if the pid had been somebody else's
        file.write_text(json.dumps(state))
        with self.daemon() as daemon:
            wait_until(lambda: daemon.targets(), "it is watched again")
            (row,) = daemon.targets().items()
            self.assertEqual((target, "kept", "dbus", "runtime", keeps.pid),
                             (row[0], row[1]["name"], row[1]["source"], str(row[1]["layer"]), row[1]["pid"]))
            self.assertEqual(["/srv/x"], self.runtime_rules(daemon))
            self.assertIn("not taken over from the daemon before", daemon.errors())

    def test_kept_as_they_are(self):
        """runtime: names and patterns with spaces, lines and words of a rules file in them come back as they were"""
        rules = [("/srv/a\nb ", "watch", {}), ("/srv/x", "deny", {"target": "my agent /etc/x"}),
                 ("/srv/y", "deny", {"ops": dbus.Array(["write"], signature="s"), "severity": "critical", "category": "a-b"})]
        with self.daemon() as daemon:
            daemon.start(self.sleeper().pid, name="my agent")
            daemon.manager.SetPathRules(
                dbus.Array([(*rule[:2], dbus.Dictionary(rule[2], signature="sv")) for rule in rules], signature="(ssa{sv})"),
                timeout=CALL_TIMEOUT)
            before = self.all_runtime_rules(daemon)
            self.assertEqual(3, len(before))
        with self.daemon() as daemon:
            wait_until(lambda: daemon.targets(), "it is watched again")
            self.assertEqual(before, self.all_runtime_rules(daemon))

    def test_promises(self):
        """runtime: what an agent has promised holds on in the next daemon, also what it took out of its file meanwhile"""
        self.folder.chmod(0o755)
        agent, promise, key = (self.folder / name for name in ("promising", ".gitignore", "key"))
        agent.write_text(AGENT)
        agent.chmod(0o755)
        promise.write_text("key\n")
        key.write_text("x")
        (self.etc / "config.toml").write_text(f'[[targets]]\nexe = "{agent}"\nimport = [".gitignore"]\n')
        kept, rule = self.folder / "runtime.json", f"{self.folder}/**/key/"
        with self.daemon() as daemon:
            process = Agent(self, agent)
            wait_until(lambda: self.imported_rules(daemon), "its promise is in force")
            wait_until(lambda: kept.exists() and rule in kept.read_text(), "it is written")
        promise.write_text("")
        with self.daemon() as daemon:
            stream = daemon.subscribe(types=["alert"])
            self.addCleanup(stream.close)
            wait_until(lambda: self.imported_rules(daemon), "its promise is in force again")
            process.read(key)
            stream.wait_for(lambda event: event["alert"]["rule"] == rule, 20, "an alert")

    def test_with_the_configuration(self):
        """runtime: what the bus asked for too outlives the configuration's word for it, also over restarts of the daemon"""
        bus_first, file_first = self.sleeper(), self.sleeper()
        named = "".join(f"[[targets]]\npid = {child.pid}\n" for child in (bus_first, file_first))

        def sources(daemon):
            return {row["pid"]: str(row["source"]) for row in daemon.targets().values()
                    if row["state"] == "running" and str(row["layer"]) == "runtime"}

        with self.daemon() as daemon:
            daemon.start(bus_first.pid)
            (self.etc / "config.toml").write_text(named)
            daemon.manager.Reload(timeout=CALL_TIMEOUT)
            daemon.start(file_first.pid)
            self.assertEqual({bus_first.pid: "config", file_first.pid: "config"}, sources(daemon))
        with self.daemon() as daemon:
            wait_until(lambda: sources(daemon) == {bus_first.pid: "config", file_first.pid: "config"}, "they are watched again")
            (self.etc / "config.toml").write_text("")
            daemon.manager.Reload(timeout=CALL_TIMEOUT)
            self.assertEqual({bus_first.pid: "dbus", file_first.pid: "dbus"}, sources(daemon))
            for child in (bus_first, file_first):
                daemon.manager.StopMonitoring(str(child.pid), timeout=CALL_TIMEOUT)
            self.assertEqual({}, daemon.targets())

    def test_dropped_by_the_bus_alone(self):
        """runtime: what both asked for is shown and dropped as the bus's, and the configuration's from then on"""
        with self.daemon() as daemon:
            child = self.sleeper()
            (self.etc / "config.toml").write_text(f"[[targets]]\npid = {child.pid}\nname = \"file's\"\n")
            daemon.manager.Reload(timeout=CALL_TIMEOUT)
            self.assertEqual("nothing beside the configuration\n", self.aactl("runtime").stdout)
            self.assertIn("nothing beside the configuration to save", self.aactl("runtime", "save", "x").stdout)
            daemon.start(child.pid)
            self.assertIn("file's", self.aactl("runtime").stdout)
            self.assertEqual("dropped 1 target(s) and 0 rule(s)\n", self.aactl("runtime", "drop").stdout)
            wait_until(lambda: [str(row["layer"]) for row in daemon.targets().values()] == ["file"], "it is the file's alone")
            (self.etc / "config.toml").write_text("")
            daemon.manager.Reload(timeout=CALL_TIMEOUT)
            self.assertEqual({}, daemon.targets())

    def test_dropped_and_meant(self):
        """runtime: whom drop lets go of, and the configuration means, is watched for it at once"""
        with self.daemon() as daemon:
            child = self.sleeper()
            daemon.start(child.pid, name="one")
            (self.etc / "config.toml").write_text('[[targets]]\nexe = "/bin/sleep"\nname = "two"\n')
            daemon.manager.Reload(timeout=CALL_TIMEOUT)
            self.assertEqual("dropped 1 target(s) and 0 rule(s)\n", self.aactl("runtime", "drop").stdout)
            wait_until(lambda: [str(row["name"]) for row in daemon.targets().values() if row["pid"] == child.pid] == ["two"],
                       "it is the configuration's")

    @staticmethod
    def imported_rules(daemon):
        _, rules = daemon.manager.GetPathFilter(timeout=CALL_TIMEOUT)
        return [str(rule[0]) for rule in rules if str(rule[2]) == "imported"]

    @staticmethod
    def all_runtime_rules(daemon):
        _, rules = daemon.manager.GetPathFilter(timeout=CALL_TIMEOUT)
        return [json.dumps(rule) for rule in rules if str(rule[2]) == "runtime"]

    def test_another_boot(self):
        """runtime: what another boot kept is nobody's, and what is damaged is said"""
        file = self.folder / "runtime.json"
        file.write_text('{"boot_id": "another", "targets": [], "rules": ["deny /x"]}')
        with self.daemon() as daemon:
            self.assertEqual([], self.runtime_rules(daemon))
        file.write_text("{")
        with self.daemon() as daemon:
            self.assertIn("does not hold what it should", daemon.errors())

    def test_drop_and_save(self):
        """runtime: aactl shows, saves to conf.d and drops it"""
        with self.daemon() as daemon:
            child = self.sleeper()
            daemon.start(child.pid, name="one")
            self.deny(daemon, "/srv/x")
            shown = self.aactl("runtime").stdout
            self.assertIn("one", shown)
            self.assertIn("deny /srv/x", shown)
            done = self.aactl("runtime", "save", "mine")
            self.assertEqual(0, done.returncode, done.stdout)
            self.assertIn("one is not saved", done.stdout)
            self.assertIn('pattern = "/srv/x"', (self.etc / "conf.d/mine.toml").read_text())
            self.assertEqual([], self.runtime_rules(daemon))
            _, rules = daemon.manager.GetPathFilter(timeout=CALL_TIMEOUT)
            self.assertIn(("/srv/x", "file"), [(str(r[0]), str(r[2])) for r in rules])
            self.assertEqual("dropped 1 target(s) and 0 rule(s)\n", self.aactl("runtime", "drop").stdout)
            self.assertEqual({}, daemon.targets())

    def test_save_what_clashes(self):
        """runtime: of rules for the same, which no file may hold, save writes the one that decides"""
        with self.daemon() as daemon:
            pairs = [("/srv/x", "allow"), ("/srv/x", "deny"), ("/srv/y", "allow"), ("/srv/[y]", "watch")]
            daemon.manager.UpdatePathFilter(dbus.Array(pairs, signature="(ss)"), timeout=CALL_TIMEOUT)
            done = self.aactl("runtime", "save", "mine")
            self.assertEqual(0, done.returncode, done.stdout)
            _, rules = daemon.manager.GetPathFilter(timeout=CALL_TIMEOUT)
            self.assertEqual([("/srv/x", "deny"), ("/srv/[y]", "watch")],
                             [(str(r[0]), str(r[1])) for r in rules if str(r[0]).startswith("/srv/")])

    def test_not_taken(self):
        """runtime: rules that a daemon cannot take over are put aside and that is said; aactl runtime works without them"""
        with self.daemon() as daemon:
            daemon.start(self.sleeper().pid, name="kept")
            self.deny(daemon, "/srv/x")
        with self.daemon(**{"families.file": "off"}) as daemon:
            aside = self.folder / "runtime.json.not-taken"
            self.assertIn(f"what was said over the bus before lies in {aside}", daemon.errors())
            self.assertIn("/srv/x", aside.read_text())
            shown = self.aactl("runtime")
            self.assertEqual(0, shown.returncode)
            self.assertIn("kept", shown.stdout)
            self.assertIn("no path rules are in force", shown.stdout)


class Sinks(RuntimeCase):
    def test_whose_file_it_is(self):
        """sinks: a file of events that was another's is refused; one that was open to others is its owner's alone again; no more are kept than asked for"""
        path = self.folder / "events.jsonl"
        path.write_text("")
        for number in (1, 2, 3, 4):
            (self.folder / f"events.jsonl.{number}").write_text("")
        path.chmod(0o644)
        with self.daemon(**{"jsonl.path": path, "jsonl.max_mib": 1, "jsonl.files": 2}) as daemon:
            self.assertEqual(0o600, path.stat().st_mode & 0o777)
            with watch(daemon, ["/bin/bash", "-c", "for i in {1..4000}; do (:); done"]) as watched:
                watched.run(120)
        self.assertEqual(["events.jsonl", "events.jsonl.1", "events.jsonl.2"],
                         sorted(p.name for p in self.folder.glob("events.jsonl*")))
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        with self.assertRaisesRegex(RuntimeError, "it belongs to the user"):
            self.daemon(**{"jsonl.path": path})

    def test_way_of_others(self):
        """sinks: a file of events is not written where a link of somebody else's leads"""
        theirs, ours = self.folder / "theirs", self.folder / "ours"
        theirs.mkdir()
        ours.mkdir()
        (theirs / "link").symlink_to(ours)
        os.lchown(theirs / "link", pwd.getpwnam("nobody").pw_uid, -1)
        with self.assertRaisesRegex(RuntimeError, "its folder leads through the symbolic link .*/link, which belongs to the user"):
            self.daemon(**{"jsonl.path": theirs / "link/events.jsonl"})
        self.assertEqual([], list(ours.iterdir()))

    def test_told_whatever_the_level(self):
        """sinks: which alerts the log has is journal.min_severity's to say, not log.level's"""
        with self.daemon(**{"log.level": "error", "journal.min_severity": "info"}) as daemon:
            with watch(daemon, ["/bin/sh", "-c", "true; true"]) as watched:
                watched.run(20)
            wait_until(lambda: "alert shell-injection, shell" in daemon.errors(), "an alert of info is in the log")
            self.assertNotIn("ready", daemon.errors())

    def test_file_begins_anew(self):
        """sinks: a file of events begins anew at its size, keeps so many, divides no line, and is its group's to read"""
        path = self.folder / "events.jsonl"
        group = grp.getgrgid(1)
        with self.daemon(**{"jsonl.path": path, "jsonl.max_mib": 1, "jsonl.files": 2, "jsonl.fsync": "batch",
                            "jsonl.group": group.gr_name}) as daemon:
            with watch(daemon, ["/bin/bash", "-c", "for i in {1..4000}; do (:); done"]) as watched:
                watched.run(120)
        files = sorted(p.name for p in self.folder.glob("events.jsonl*"))
        self.assertIn("events.jsonl.1", files)
        self.assertNotIn("events.jsonl.3", files)
        for name in files:
            file = self.folder / name
            self.assertEqual((0o640, 1), (file.stat().st_mode & 0o777, file.stat().st_gid))
            for line in file.read_text().splitlines():
                json.loads(line)

    def test_families_off(self):
        """families: what is switched off is a state with a reason, and without the file family path rules are refused"""
        with self.daemon(**{"families.file": "off", "families.tls": "off"}) as daemon:
            for family in ("file", "tls"):
                states = {(str(row[2]), str(row[4])) for row in daemon.property("ProbeStates") if str(row[0]) == family}
                self.assertEqual({("unavailable", f"families.{family} is off in the configuration")}, states)
            name, _ = error_of(daemon.manager.GetPathFilter)
            self.assertEqual("NotSupported", name)


if __name__ == "__main__":
    unittest.main()
