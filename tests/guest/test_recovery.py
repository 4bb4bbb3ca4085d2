"""What systemd makes of a daemon that dies, stands still or cannot start."""

import pathlib
import signal
import subprocess
import unittest

from deadline import wait_until
from guest_case import UNIT, AgentCase, journal, run, show, status_of


class Recovery(AgentCase):
    """Each test begins with a daemon of its own."""

    def test_killed(self):
        """recovery: SIGKILL brings a new daemon at once, without a hand"""
        pid = self.start(light=True)
        run("systemctl", "kill", "--kill-whom=main", "-s", "KILL", UNIT)
        follower = self.wait_for_another(pid)
        self.assertEqual("1", show("NRestarts"))
        self.watch(self.agent().pid)
        self.assertEqual(follower, int(show("MainPID")))

    def test_watchdog(self):
        """recovery: a daemon that stands still is noticed by the watchdog, ended and replaced; one at work is left alone"""
        pid = self.start(drop_in="[Service]\nWatchdogSec=4s\nTimeoutAbortSec=1s\n", light=True)
        self.assertEqual("4s", show("WatchdogUSec"))
        # Twice its limit at work, and nobody minds.
        served = int(show("WatchdogTimestampMonotonic"))
        wait_until(lambda: int(show("WatchdogTimestampMonotonic")) > served + 8_000_000, "the watchdog is served", 20)
        self.assertEqual((pid, "0"), (int(show("MainPID")), show("NRestarts")))
        wait_until(lambda: "T" in self.stopped(pid), "it stands still", 5)
        self.wait_for_another(pid)
        self.assertEqual("1", show("NRestarts"))
        self.assertIn("Watchdog timeout (limit 4s)!", journal())

    def stopped(self, pid):
        try:
            subprocess.run(["kill", f"-{int(signal.SIGSTOP)}", str(pid)], check=True)
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return ""

    def test_bad_configuration(self):
        """recovery: a configuration it cannot use fails the unit once, without restarts, and status names file, line and key"""
        self.start(light=True)
        file = pathlib.Path("/etc/aa-ebpfd/config.toml")
        good = file.read_text()
        self.addCleanup(file.write_text, good)
        file.write_text(good.replace("[watched]", "[watched]\nlimitt = 100"))
        status, _ = status_of("systemctl", "restart", UNIT)
        self.assertEqual(1, status)
        self.assertEqual(("failed", "exit-code", "2", "0"), (show("ActiveState"), show("Result"), show("ExecMainStatus"),
                                                            show("NRestarts")))
        _, text = status_of("systemctl", "status", "--no-pager", "-l", UNIT)
        self.assertRegex(text, r"/etc/aa-ebpfd/config\.toml:\d+:\d+: .*limitt")


if __name__ == "__main__":
    unittest.main()
