"""Units of a real systemd: watched, restarted, left, stopped; by aactl and by the bus."""

import pathlib
import re
import unittest

from deadline import wait_until
from guest_case import MANAGER, UNIT, UUID, RunningCase, call, run, show, status_of
from test_journey import Follower

AGENT = "aa-test-agent.service"
CONFIG = pathlib.Path("/etc/aa-ebpfd/config.toml")
FILE = pathlib.Path("/run/systemd/system") / AGENT
# Tells by what it runs how often it was started; works when it is told to. It holds both ends of its orders: an end that is
# opened for each line can be closed with the next one in it.
SCRIPT = """#!/bin/sh
/bin/echo started
mkfifo -m 600 /run/aa-test-orders 2>/dev/null
exec 3<>/run/aa-test-orders
while read -r line <&3; do eval "$line" 3<&-; done
"""
ORDERS = pathlib.Path("/run/aa-test-orders")


class Units(RunningCase):
    def setUp(self):
        super().setUp()
        script = pathlib.Path("/run/aa-test-agent")
        script.write_text(SCRIPT)
        script.chmod(0o755)
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text("[Service]\nExecStart=/bin/sh /run/aa-test-agent\n")
        run("systemctl", "daemon-reload")
        self.addCleanup(self.remove_agent)
        self.follower = Follower()
        self.addCleanup(self.follower.end)

    def remove_agent(self):
        run("systemctl", "stop", AGENT)
        FILE.unlink()
        run("systemctl", "daemon-reload")

    def watch(self, unit=AGENT):
        answer = call(MANAGER, "StartMonitoringUnit", "sa{sv}", unit, 0)
        self.assertRegex(answer, rf'^s "{UUID}"$')
        return answer.split('"')[1]

    def order(self, line):
        """Has the unit's main process do something; it is waiting for that."""
        wait_until(ORDERS.is_fifo, "the agent listens")
        run("timeout", "60", "sh", "-c", 'echo "$1" >/run/aa-test-orders', "sh", line)

    def until_exec(self, *argv):
        """Every event up to the one of that command."""
        return self.follower.until(lambda e: e["type"] == "exec" and e["exec"]["argv"] == list(argv))

    def target(self, wanted):
        return next((row for row in self.targets() if row["id"] == wanted), None)

    def named(self, name):
        return next((row for row in self.targets() if row["name"] == name and row["state"] == "running"), None)

    def test_running(self):
        """guest units: a service that runs is taken in whole, and what it runs is an event of its target"""
        run("systemctl", "start", AGENT)
        pid = int(show("MainPID", AGENT))
        self.order("/bin/sleep 1000 &")
        wait_until(lambda: show("TasksCurrent", AGENT) == "2", "two processes are in the unit")  # "[not set]" at first
        target = self.watch()
        row = self.target(target)
        self.assertEqual((0, AGENT, AGENT, "running", 2, 2), (row["root_pid"], row["name"], row["unit"], row["state"],
                                                            row["live"], row["adopted"]))
        self.order("/bin/echo works")
        event = self.until_exec("/bin/echo", "works")[-1]
        self.assertEqual((target, pid, f"/system.slice/{AGENT}"),
                         (event["target"]["id"], event["process"]["ppid"], event["process"]["cgroup"]))
        self.assertEqual("", call(MANAGER, "StopMonitoring", "s", AGENT))
        self.assertEqual("a(ssussta{sv}) 0", call(MANAGER, "ListTargets"))

    def test_restart(self):
        """guest units: a service not running yet is seen from its first program on, and so it is after each restart"""
        said = run("aactl", "watch", "--unit", AGENT.removesuffix(".service"))
        target = re.search(UUID, said).group(0)
        self.assertEqual(f"watching {AGENT} as target {target}: 0 processes adopted", said)
        for command in ("start", "restart", "restart"):
            run("systemctl", command, AGENT)
            events = [e for e in self.until_exec("/bin/echo", "started") if e.get("target", {}).get("id") == target]
            pid = int(show("MainPID", AGENT))
            execs = [(e["process"]["pid"], e["exec"]["argv"]) for e in events if e["type"] == "exec"]
            self.assertIn((pid, ["/bin/sh", "/run/aa-test-agent"]), execs, "its first program")
        run("systemctl", "stop", AGENT)
        self.follower.until(lambda e: e["type"] == "exit" and e["process"]["pid"] == pid)
        row = self.target(target)
        self.assertEqual(("running", 0, 0), (row["state"], row["live"], row["lost"]))
        self.assertEqual(f"no longer watching {AGENT}", run("aactl", "unwatch", AGENT))

    def test_configured(self):
        """guest units: a unit of the configuration is watched, also when it is started again, until it is taken out"""
        good = CONFIG.read_text()
        self.addCleanup(CONFIG.write_text, good)
        run("systemctl", "start", AGENT)
        CONFIG.write_text(good + f'\n[[targets]]\nunit = "{AGENT}"\nname = "wished"\n')
        run("systemctl", "reload", UNIT)
        row = wait_until(lambda: self.named("wished"), "the unit is a target")
        self.assertEqual((AGENT, "running", "config", 1), (row["unit"], row["state"], row["source"], row["adopted"]))
        for word in ("first", "second"):
            self.order(f"/bin/echo {word}")
            self.assertEqual(row["id"], self.until_exec("/bin/echo", word)[-1]["target"]["id"])
            run("systemctl", "restart", AGENT)
        CONFIG.write_text(good)
        run("systemctl", "reload", UNIT)
        wait_until(lambda: self.named("wished") is None, "it is no target")

    def test_leavers(self):
        """guest units: what a unit starts elsewhere stays its target's; what systemd starts for it elsewhere is not"""
        run("systemctl", "start", AGENT)
        target = self.watch()
        self.order("/usr/bin/systemd-run --quiet --scope --unit=aa-test-left /bin/echo left")
        event = self.until_exec("/bin/echo", "left")[-1]
        self.assertEqual((target, "/system.slice/aa-test-left.scope"),
                         (event["target"]["id"], event["process"]["cgroup"]))
        self.order("/usr/bin/systemd-run --quiet --wait --unit=aa-test-other /bin/echo other; /bin/echo after")
        events = self.until_exec("/bin/echo", "after")
        self.assertNotIn(["/bin/echo", "other"], [e["exec"]["argv"] for e in events if e["type"] == "exec"])

    def test_slice(self):
        """guest units: a slice holds services that are started in it later; a new slice is followed too"""
        target = self.watch("aatest-later.slice")
        run("systemd-run", "--quiet", "--wait", "--slice=aatest-later.slice", "--unit=aa-test-in", "/bin/echo", "inside")
        event = self.until_exec("/bin/echo", "inside")[-1]
        self.assertEqual((target, "/aatest.slice/aatest-later.slice/aa-test-in.service"),
                         (event["target"]["id"], event["process"]["cgroup"]))

    def test_refusals(self):
        """guest units: a unit that systemd does not have, or that has no processes, is refused by its name"""
        status, said = status_of("aactl", "watch", "--unit", "aa-test-none")
        self.assertEqual((1, "systemd has no unit aa-test-none.service to watch: it is not-found; systemctl list-units shows "
                          "those there are"), (status, said.removeprefix("aactl: ")))
        status, said = status_of("aactl", "watch", "--unit", "multi-user.target")
        self.assertEqual(1, status)
        self.assertIn("ends in .target, and such a unit has no processes", said)
        self.assertEqual("a(ssussta{sv}) 0", call(MANAGER, "ListTargets"))


if __name__ == "__main__":
    unittest.main()
