"""The configuration read again while everything goes on: whole or not at all, and without a gap."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from file_case import FileCase, path_alerts
from deadline import PATIENCE, end_at_exit
from hanging import hanging_folder
from harness import CALL_TIMEOUT, Daemon, PrivateBus, error_of, wait_until, watch
from kernel_case import QUICK, Account
from kernel_maps import TLS_LEVEL_OFF, KernelMaps

RELOADS = 100 if QUICK else 1000


class ReloadCase(FileCase):
    @classmethod
    def setUpClass(cls):
        cls.etc = pathlib.Path(tempfile.mkdtemp(prefix="aa-etc-"))
        cls.addClassCleanup(shutil.rmtree, cls.etc)
        cls.file = cls.etc / "config.toml"
        cls.file.write_text("")
        cls.options = ("--config", str(cls.file))
        super().setUpClass()

    def reload(self, text=None):
        if text is not None:
            self.file.write_text(text)
        self.daemon.manager.Reload(timeout=CALL_TIMEOUT)

    def generation(self):
        return int(self.daemon.property("PathFilterGeneration"))

    def denies(self, path):
        account, _ = self.watched_path("/bin/cat", path)
        return len(path_alerts(account))


def deny(*patterns):
    return "".join(f'[[paths.rules]]\npattern = "{pattern}"\n' for pattern in patterns)


class Reload(ReloadCase):
    def tearDown(self):
        self.reload("")

    def test_rules(self):
        """reload: the next open of a newly denied file alerts, by one generation flip; a refused file changes nothing"""
        path = self.secret()
        before = self.generation()
        self.assertEqual(0, self.denies(path))
        self.reload(deny(path))
        self.assertEqual((before + 1, 1), (self.generation(), self.denies(path)))
        (self.etc / "conf.d").mkdir()
        self.addCleanup(shutil.rmtree, self.etc / "conf.d", ignore_errors=True)
        bad = self.etc / "conf.d/bad.json"
        bad.write_text('{"watched": {"limitt": 1},\n "log": {"level": 3}}')
        name, sentence = error_of(self.daemon.manager.Reload)
        self.assertEqual("InvalidConfig", name)
        self.assertEqual([f"{bad}:1:24: watched.limitt is not a key; the nearest is watched.limit",
                          f'{bad}:2:19: log.level wants a string ("debug", "info", "warning", "error"), not an integer'],
                         sentence.splitlines())
        self.assertEqual((before + 1, 1), (self.generation(), self.denies(path)))
        shutil.rmtree(self.etc / "conf.d")
        self.reload()
        self.assertEqual(before + 1, self.generation(), "nothing differs")

    def test_told(self):
        """reload: the service manager hears RELOADING with the time and READY after it, by SIGHUP too, also when it was refused"""
        for text in (deny("/x"), "bad = 1\n"):
            with self.subTest(text):
                heard = len(self.daemon.notified)
                self.file.write_text(text)
                self.daemon.process.send_signal(signal.SIGHUP)
                wait_until(lambda: "READY=1" in self.daemon.notified[heard:], "READY after SIGHUP")
                said = self.daemon.notified[heard:]
                self.assertEqual("RELOADING=1", said[0])
                microseconds = int(said[1].removeprefix("MONOTONIC_USEC="))
                self.assertLess(abs(microseconds - time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1000), 60e6)

    def test_restart_keys(self):
        """reload: what takes effect at a restart is said, and no more once it is taken back"""
        self.reload("[watched]\nlimit = 1000\n[detect]\nmin_severity = 'critical'\n")
        self.assertEqual(["watched.limit", "watched.share"], sorted(map(str, self.daemon.property("AwaitingRestart"))))
        self.reload("")
        self.assertEqual([], list(self.daemon.property("AwaitingRestart")))

    def test_detection_rules(self):
        """reload: own rows of the detector's table hold from the reload on, for alerts and for aactl detect, and shipped rules can be switched off"""
        tool = self.folder / "corp-tool"
        shutil.copy("/bin/true", tool)

        def rules():
            account, _ = self.watched_path(tool, "--wipe")
            return [event["alert"]["rule"] for event in account.of_type("alert")]

        off = "[detect]\noff = ['temp', 'temp-command']\n"
        self.reload(off)
        self.assertEqual([], rules())
        self.reload(off + "[[detect.table]]\nrow = 'family corp corp-tool'\n[[detect.table]]\nrow = 'rule corp-wipe escape "
                    "critical | command corp ; option --wipe | Something is wiped.'\n")
        self.assertEqual(["corp-wipe"], rules())
        self.assertEqual(("escape", "critical", "corp-wipe"),
                         tuple(map(str, self.daemon.manager.TestCommand(["corp-tool", "--wipe"]))))
        name, sentence = self.refused(off + "[[detect.table]]\nrow = 'rule x'\n")
        self.assertEqual("InvalidConfig", name)
        self.assertIn("config.toml:3:1: detect.table[0].row cannot be used: a rule is: ", sentence)
        self.assertEqual(["corp-wipe"], rules())

    def refused(self, text):
        self.file.write_text(text)
        return error_of(self.daemon.manager.Reload)

    def rows(self, **wanted):
        return [row for row in self.daemon.targets().values() if all(row[k] == v for k, v in wanted.items())]

    def sleeper(self, *argv, **popen):
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **popen)
        end_at_exit(child)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def test_targets(self):
        """reload: a target holds for who runs already and who starts later, is not disturbed by the next, and is released"""
        agent = self.folder / "test-agent"
        shutil.copy("/bin/sleep", agent)
        early = self.sleeper(str(agent), "1000")
        wait_until(lambda: os.readlink(f"/proc/{early.pid}/exe") == str(agent), "it runs")
        wish = f'[[targets]]\nexe = "{agent}"\nname = "agents"\n'
        self.reload(wish)
        wait_until(lambda: self.rows(pid=early.pid, source="config", state="running"), "the early one is watched")
        late = self.sleeper(str(agent), "1000")
        wait_until(lambda: self.rows(pid=late.pid, source="config", state="running"), "the late one is watched")
        ids = sorted(self.daemon.targets())
        other = self.sleeper("/bin/sleep", "1000")
        self.reload(wish + f"[[targets]]\npid = {other.pid}\nname = \"one\"\n")
        wait_until(lambda: self.rows(pid=other.pid, name="one", state="running"), "the pid is watched")
        self.assertEqual(2, len(self.rows(name="agents", state="running")))
        self.assertLess(set(ids), set(self.daemon.targets()))
        self.reload(f"[[targets]]\npid = {other.pid}\nname = \"one\"\n")
        wait_until(lambda: not self.rows(name="agents"), "the agents are released")
        self.assertEqual(1, len(self.rows(name="one", state="running")))

    def test_answered_when_done(self):
        """reload: once it is answered a new target is looked for: who starts at once is watched; of two asked for together the later holds"""
        stream = self.daemon.subscribe(types=["exec"])
        for number in range(30):
            agents = [self.folder / f"agent-{number}-{one}" for one in range(2)]
            for agent in agents:
                agent.symlink_to("/bin/true")
            for agent in agents[:number % 2]:  # every other time one that is not waited for comes before
                self.file.write_text(f'[[targets]]\nexe = "{agent.name}"\n')
                self.daemon.process.send_signal(signal.SIGHUP)
            self.reload(f'[[targets]]\nexe = "{agents[1].name}"\n')
            child = subprocess.run([agents[1]], stdin=subprocess.DEVNULL, check=True)
            stream.wait_for(lambda e: e["exec"]["filename"] == str(agents[1]), 5, f"it is watched: {child}")

    def test_answered_when_watched(self):
        """reload: once it is answered everyone is watched whom it means and who runs"""
        children = [self.sleeper("/bin/sleep", "1000") for _ in range(5)]
        wait_until(lambda: all(os.readlink(f"/proc/{c.pid}/exe") == os.path.realpath("/bin/sleep") for c in children), "they run")
        one, *others = children
        for _ in range(20):
            self.reload(f'[[targets]]\npid = {one.pid}\n[[targets]]\nexe = "/bin/sleep"\n')
            self.assertEqual([1] * 5, [len(self.rows(pid=c.pid, state="running")) for c in (one, *others)])
            self.reload("")
            wait_until(lambda: not self.rows(state="running"), "they are let go")

    def test_all_of_many(self):
        """reload: of many targets that all change, none is left without room; and what was kept for others is room when nobody is looked for"""
        children = [self.sleeper("/bin/sleep", "1000") for _ in range(255)]

        def wishes(some, tls):
            return '[discovery]\nagents = ""\n' + "".join(f'[[targets]]\npid = {c.pid}\ntls = "{tls}"\n' for c in some)

        stream = self.daemon.subscribe(types=["alert"])
        self.addCleanup(stream.close)
        self.reload(f'[[targets]]\nexe = "{self.folder}/nobody"\n')
        for some, tls in ((children, "off"), (children, "full"), (children[:150], "off"), (children[105:], "off")):
            self.reload(wishes(some, tls))
            self.assertEqual({c.pid: tls for c in some}, {row["pid"]: str(row["tls"]) for row in self.rows(state="running")})
        self.reload("".join(f'[[targets]]\nexe = "/bin/sleep"\n'))
        self.assertEqual(239, len(self.rows(state="running")))
        self.assertEqual(1, len([e for e in stream.until_quiet() if e["alert"]["kind"] == "target-not-watched"]))

    def test_tls_level(self):
        """reload: a target's TLS level is the kernel's too, for who runs already and who starts later"""
        agent = self.folder / "test-agent"
        shutil.copy("/bin/sleep", agent)
        early = self.sleeper(str(agent), "1000")
        self.reload(f'[[targets]]\nexe = "{agent}"\ntls = "off"\n')
        late = self.sleeper(str(agent), "1000")
        for child in (early, late):
            root = str(wait_until(lambda: self.rows(pid=child.pid, tls="off"), "it is watched")[0]["root"])
            wait_until(lambda: KernelMaps(self.daemon.pid).targets[root][0] == TLS_LEVEL_OFF, "it is off in the kernel")

    def test_taken_in_again(self):
        """reload: who fits a target and was let go, or was another's until now, is taken in by a reload that changes nothing"""
        agent = self.folder / "test-agent"
        shutil.copy("/bin/sleep", agent)
        ours, theirs, named = self.sleeper(str(agent), "1000"), self.sleeper(str(agent), "1000"), self.sleeper("/bin/sleep", "1000")
        other = self.daemon.start(theirs.pid, name="other")
        wish = f'[[targets]]\nexe = "{agent}"\nname = "agents"\n[[targets]]\npid = {named.pid}\n'
        self.reload(wish)
        for child in (ours, named):
            wait_until(lambda: self.rows(pid=child.pid, source="config", state="running"), "it is watched")
        held = [row for row, target in self.daemon.targets().items() if target["pid"] in (ours.pid, named.pid)]
        for target in (other, *held):
            self.daemon.manager.StopMonitoring(target, timeout=CALL_TIMEOUT)
        self.reload(wish)
        for child in (ours, theirs, named):
            wait_until(lambda: self.rows(pid=child.pid, source="config", state="running"), "it is watched")

    def test_user(self):
        """reload: a user's processes are watched from their next exec on, those that run now too"""
        user = pwd.getpwnam("nobody")
        early = self.sleeper("/bin/sleep", "1000", user=user.pw_uid)
        self.reload('[[targets]]\nuser = "nobody"\n')
        late = self.sleeper("/bin/sleep", "1000", user=user.pw_uid)
        for child in (early, late):
            wait_until(lambda: self.rows(pid=child.pid, name="nobody", source="config"), "it is watched")
        root = self.sleeper("/bin/sleep", "1000")
        self.assertEqual([], self.rows(pid=root.pid))

    def test_leads_elsewhere(self):
        """reload: a target named by a path through links is found where they lead, too, running now and started later"""
        program, folder = self.folder / "folder/other-name", self.folder / "link"
        program.parent.mkdir()
        shutil.copy("/bin/sleep", program)
        folder.symlink_to(program.parent)
        (self.folder / "agent").symlink_to(folder / program.name)
        early = self.sleeper(program, "1000")
        self.reload(f'[[targets]]\nexe = "{self.folder}/agent"\n')
        for child in (early, self.sleeper(program, "1000"), self.sleeper(self.folder / "agent", "1000")):
            wait_until(lambda child=child: self.rows(pid=child.pid, state="running"), f"{child.args} is watched")

    def test_started_as(self):
        """reload: who runs already is found by the name it was started by: a link's, a script's, one relative to its folder"""
        link, script = self.folder / "myagent", self.folder / "script.sh"
        link.symlink_to("/bin/sleep")
        script.write_text("#!/bin/sh\nwhile :; do /bin/sleep 1; done\n")
        script.chmod(0o755)
        by_link = self.sleeper(link, "1000")
        by_script = self.sleeper("./script.sh", cwd=self.folder)
        self.reload(f'[[targets]]\nexe = "myagent"\n[[targets]]\nexe = "{script}"\n')
        late = self.sleeper("./script.sh", cwd=self.folder)
        for child in (by_link, by_script, late):
            wait_until(lambda child=child: self.rows(pid=child.pid), f"{child.args} is watched")


class Watching(ReloadCase):
    def reads(self):
        return self.daemon.stderr.read_text().count("the configuration was read again")

    def refusals(self):
        return self.daemon.stderr.read_text().count("the configuration was not taken in")

    def test_files_are_watched(self):
        """reload: with reload.watch a changed file is taken in by itself, a broken one refused; a burst is few reloads; off means off"""
        path, rules = self.secret(), self.folder / "more.rules"
        rules.write_text("")
        on = f'[reload]\nwatch = "on"\n[paths]\ninclude = ["{rules}"]\n'
        self.reload(on)
        rules.write_text(f"deny {path}\n")
        wait_until(lambda: self.denies(path) == 1, "the file of rules was read again")
        refused = self.refusals()
        self.file.write_text(on + "bad = 1\n")
        wait_until(lambda: self.refusals() == refused + 1, "the broken file was refused")
        self.assertEqual(1, self.denies(path))
        before = self.reads()
        for number in range(50):
            self.file.write_text(on + f"# {number}\n")
        wait_until(lambda: self.reads() > before, "the file was read again")
        (self.etc / "conf.d").mkdir()
        self.addCleanup(shutil.rmtree, self.etc / "conf.d")
        (self.etc / "conf.d/off.toml").write_text('[reload]\nwatch = "off"\n')
        wait_until(lambda: "changed: reload.watch;" in self.daemon.errors(), "conf.d was read")
        self.assertLessEqual(self.reads(), before + 12)
        seen = self.reads(), self.refusals()
        self.file.write_text("bad = 1\n")
        rules.write_text("bad\n")
        account, _ = self.watched_path("/bin/sleep", "1")
        self.assertEqual(seen, (self.reads(), self.refusals()))


class Hanging(ReloadCase):
    def reload_and_ask(self, daemon):
        """The loop goes on while it is read."""
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "RELOADING=1" in daemon.notified, "it reads")
        begin = time.monotonic()
        for _ in range(20):
            daemon.targets()
        self.assertLess(time.monotonic() - begin, PATIENCE)

    def test_hanging_file_system(self):
        """reload: of a path whose file system does not answer the rule goes by the path; nobody else waits, nor does the end"""
        folder = self.folder / "hang"
        hanging = hanging_folder(self, folder)
        other = self.secret("other")
        with PrivateBus() as bus, Daemon(bus, "--config", str(self.file)) as daemon:
            self.file.write_text(deny(folder / "secret", folder / "more", other))
            self.reload_and_ask(daemon)
            wait_until(lambda: "the configuration was read again" in daemon.errors(), "the rules are in force", 10)
            self.assertEqual(1, daemon.errors().count("its file system does not answer"))
            with watch(daemon, ["/bin/cat", str(other)]) as watched:
                self.assertEqual(1, len(path_alerts(Account(watched.run()))))
            self.assertEqual("deny", str(daemon.manager.TestPath(str(folder / "secret"))[0]))
            begin = time.monotonic()
            self.file.write_text(deny(folder / "secret"))
            daemon.manager.Reload(timeout=CALL_TIMEOUT)
            self.assertLess(time.monotonic() - begin, PATIENCE, "it is not waited for again")


    def test_hanging_rule_file(self):
        """reload: a file of rules that does not answer is refused by its line within seconds, and the loop goes on meanwhile"""
        folder = self.folder / "dead"
        hanging_folder(self, folder)
        old = self.secret("old")
        files = [f"{folder}/{name}.rules" for name in ("one", "two")]
        self.file.write_text(deny(old))
        with PrivateBus() as bus, Daemon(bus, "--config", str(self.file)) as daemon:
            self.file.write_text(f"[paths]\ninclude = {files}\n")
            self.reload_and_ask(daemon)
            wait_until(lambda: "was not taken in" in daemon.errors(), "it is refused", 10)
            for path in files:
                self.assertIn(f"{self.file}:2:11: paths.include names {path}, which does not answer: its file system has said "
                              "nothing for 2000 ms", daemon.errors())
            with watch(daemon, ["/bin/cat", str(old)]) as watched:
                self.assertEqual(1, len(path_alerts(Account(watched.run()))))
            self.file.write_text("")
            daemon.manager.Reload(timeout=CALL_TIMEOUT)


class UnderLoad(ReloadCase):
    def memory_kib(self):
        text = pathlib.Path(f"/proc/{self.daemon.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0])

    def test_no_gap(self):
        """reload: 1,000 reloads (100 without --full) under a load of forks and opens lose nothing and judge each by its generation"""
        left, right = self.secret("left"), self.secret("right")
        script = f"while [ ! -e {self.folder}/stop ]; do read x <{left}; read x <{right}; (:); done; true"
        with watch(self.daemon, ["/bin/bash", "-c", script]) as watched:
            watched.go()
            for number in range(RELOADS):
                self.reload(deny(left if number % 2 else right))
            (self.folder / "stop").touch()
            account = Account(watched.finish(240))
        self.assert_sound(account, watched.pid)
        self.assert_ledger()
        judged = [e["file"] for e in account.of_type("file") if e["file"]["path"] in (str(left), str(right))]
        by_generation = {}
        for body in judged:
            if body["verdict"] == "deny":
                by_generation.setdefault(body["generation"], set()).add(body["path"])
        self.assertGreater(len(by_generation), 3)
        self.assertEqual([], [paths for paths in by_generation.values() if len(paths) != 1])

    def test_memory(self):
        """reload: 1,000 reloads (100 without --full) that change rules and targets leave memory where it was"""
        sleeper = subprocess.Popen(["/bin/sleep", "1000"], stdin=subprocess.DEVNULL)
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        rules = deny(*(f"/srv/secret/{number}/*.key" for number in range(500)))
        both = (rules + f"[[targets]]\npid = {sleeper.pid}\n", "")

        def after(reloads):
            for number in range(reloads):
                self.reload(both[number % 2])
            return self.memory_kib()

        before = after(RELOADS // 10)
        now = after(RELOADS)
        print(f"memory after {RELOADS // 10} reloads: {before} KiB, after {RELOADS} more: {now} KiB")
        self.assertLess(now, before + 2048)

    def test_many_rules(self):
        """reload: 10,000 rules are in force with one generation; how long that takes is printed; once they are gone their memory is"""
        rules = self.folder / "many.rules"
        rules.write_text("".join(f"deny /srv/secret/{number}/key\n" for number in range(10_000)))
        self.reload(deny("/x"))
        memory = self.memory_kib()
        before = self.generation()
        begin = time.monotonic()
        self.reload(f'[paths]\ninclude = ["{rules}"]\n')
        print(f"reload with 10,000 rules: {(time.monotonic() - begin) * 1000:.0f} ms")
        self.assertEqual(before + 1, self.generation())
        for number in range(3):  # the set before the one in force is kept for records under way
            self.reload(deny(f"/x{number}"))
        wait_until(lambda: self.memory_kib() < memory + 4096, f"it is {memory} KiB again")
        self.reload("")


if __name__ == "__main__":
    unittest.main()
