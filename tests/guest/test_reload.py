"""The configuration edited and reloaded under systemd: the path policy, and control groups, which are systemd's there."""

import json
import pathlib
import re
import subprocess
import unittest

from deadline import end_at_exit, wait_until
from guest_case import MANAGER, UNIT, GuestCase, call, run, show, status_of
from test_journey import Follower

FILE = pathlib.Path("/etc/aa-ebpfd/config.toml")
SECRET = pathlib.Path("/srv/aa-secret")


GROUP = pathlib.Path("/sys/fs/cgroup/aa-test-group")


class ReloadCase(GuestCase):
    light = False

    def setUp(self):
        super().setUp()
        self.good = FILE.read_text()
        self.addCleanup(FILE.write_text, self.good)
        self.start(light=self.light)
        self.follower = Follower()
        self.addCleanup(self.follower.end)


class Policy(ReloadCase):
    def setUp(self):
        super().setUp()
        SECRET.write_text("x")
        self.addCleanup(SECRET.unlink)
        self.shell = subprocess.Popen(["/bin/sh"], stdin=subprocess.PIPE, text=True, bufsize=1)
        end_at_exit(self.shell)
        self.addCleanup(self.shell.wait)
        self.addCleanup(self.shell.stdin.close)
        call(MANAGER, "StartMonitoring", "ua{sv}", self.shell.pid, 0)

    def alerts(self, mark):
        """The rules of path alerts while the shell reads the secret."""
        self.shell.stdin.write(f"/bin/cat {SECRET} >/dev/null; /bin/echo {mark} >/dev/null\n")
        events = self.follower.until(lambda e: e["type"] == "exec" and e["exec"]["argv"] == ["/bin/echo", mark])
        return [e["alert"]["rule"] for e in events if e["type"] == "alert" and e["alert"]["kind"] == "sensitive-path"]

    def test_policy(self):
        """guest reload: the next open of a newly denied file alerts; an error fails the reload, is in systemctl status, and the old policy still alerts"""
        pid = int(show("MainPID"))
        self.assertEqual([], self.alerts("before"))
        FILE.write_text(self.good + f'\n[[paths.rules]]\npattern = "{SECRET}"\n')
        run("systemctl", "reload", UNIT)
        self.assertEqual([str(SECRET)], self.alerts("denied"))
        FILE.write_text(FILE.read_text() + "[[paths.rules]]\npatern = 1\n")
        status, _ = status_of("systemctl", "reload", UNIT)
        self.assertEqual(1, status)
        sentence = r"config\.toml:\d+:\d+: paths\.rules\[1\]\.patern is not a field; the nearest is pattern"
        wait_until(lambda: re.search(sentence, status_of("systemctl", "status", "--no-pager", "-l", UNIT)[1]),
                   "the sentence is in systemctl status")
        status, text = status_of("aactl", "reload")
        self.assertEqual(1, status)
        self.assertRegex(text, sentence)
        self.assertEqual([str(SECRET)], self.alerts("still"))
        self.assertEqual((pid, "active"), (int(show("MainPID")), show("ActiveState")))


class ControlGroups(ReloadCase):
    """A shell that puts itself into a control group and runs there what it is told to."""

    light = True

    def shell(self):
        child = subprocess.Popen(["/bin/sh"], stdin=subprocess.PIPE, text=True, bufsize=1)
        end_at_exit(child)
        self.addCleanup(child.wait)
        self.addCleanup(child.stdin.close)
        child.stdin.write(f"echo $$ >{GROUP}/cgroup.procs\n")
        return child

    def make_group(self):
        GROUP.mkdir()
        self.addCleanup(self.remove_group)

    def remove_group(self):
        """Once those in it have ended."""
        if GROUP.exists():
            wait_until(lambda: (GROUP / "cgroup.procs").read_text() == "", "nobody is in the group")
            GROUP.rmdir()

    def target(self):
        rows = [json.loads(line) for line in run("aactl", "--json", "targets").splitlines()]
        return next((row for row in rows if row["unit"] == "/aa-test-group"), None)

    def until_echo(self, word):
        """The target of the shell's echo."""
        event = self.follower.until(lambda e: e["type"] == "exec" and e["exec"]["argv"] == ["/bin/echo", word])[-1]
        return event["target"]["id"]

    def test_control_group(self):
        """guest reload: a control group is watched by its path: who is in it, who is put there later, also when it is made anew; until it is taken out"""
        self.make_group()
        early = self.shell()
        wait_until(lambda: (GROUP / "cgroup.procs").read_text(), "it is in the group")
        FILE.write_text(self.good + '\n[[targets]]\ncgroup = "/aa-test-group"\nname = "group"\n')
        run("systemctl", "reload", UNIT)
        row = wait_until(self.target, "the group is a target")
        self.assertEqual(("group", "running", "config", 1, 1),
                         (row["name"], row["state"], row["source"], row["live"], row["adopted"]))
        late = self.shell()
        for shell, word in ((early, "early"), (late, "late")):
            shell.stdin.write(f"/bin/echo {word} >/dev/null\n")
            self.assertEqual(row["id"], self.until_echo(word))
            shell.stdin.close()
            shell.wait()
        self.remove_group()
        self.make_group()
        again = self.shell()
        again.stdin.write("/bin/echo again >/dev/null\n")
        self.assertEqual(row["id"], self.until_echo("again"))
        FILE.write_text(self.good)
        run("systemctl", "reload", UNIT)
        wait_until(lambda: self.target() is None, "the group is no target")


if __name__ == "__main__":
    unittest.main()
