"""The path policy edited and reloaded under systemd."""

import pathlib
import re
import subprocess
import unittest

from deadline import end_at_exit, wait_until
from guest_case import MANAGER, UNIT, GuestCase, call, run, show, status_of
from test_journey import Follower

FILE = pathlib.Path("/etc/aa-ebpfd/config.toml")
SECRET = pathlib.Path("/srv/aa-secret")


class Reload(GuestCase):
    def setUp(self):
        super().setUp()
        good = FILE.read_text()
        self.addCleanup(FILE.write_text, good)
        self.good = good
        SECRET.write_text("x")
        self.addCleanup(SECRET.unlink)
        self.start()
        self.follower = Follower()
        self.addCleanup(self.follower.end)
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


if __name__ == "__main__":
    unittest.main()
