"""What the guest suite's tests share: the project installed as README.md says, and systemd asked about it.

These tests change the machine they run on: they refuse to run anywhere but in a guest.
"""

import functools
import json
import os
import pathlib
import re
import subprocess
import unittest

from deadline import PATIENCE, end_at_exit, wait_until
from harness import NAME, PATH

UNIT = "aa-ebpfd.service"
MANAGER = NAME + ".Manager"
LINEAGE = NAME + ".Lineage"
BUILD = os.environ.get("AA_BUILD", "")
LIGHT = pathlib.Path("/etc/aa-ebpfd/conf.d/aa-test-light.toml")
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
DROP_IN = pathlib.Path("/run/systemd/system/aa-ebpfd.service.d/test.conf")


def run(*command, check=True, **options):
    """Its output, errors included; AssertionError with it when it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=60 * PATIENCE, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout.strip()


def status_of(*command):
    """Exit status and output."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=60 * PATIENCE)
    return done.returncode, done.stdout.strip()


def show(name, unit=UNIT):
    return run("systemctl", "show", "--value", "-p", name, unit)


def call(interface, method, *words):
    """A method by busctl, as README.md shows it; what it prints."""
    return run("busctl", "--timeout", str(int(25 * PATIENCE)), "call", NAME, PATH, interface, method, *words)


def bus_owner():
    """Process id of who owns the name on the system bus; None when nobody does."""
    done = subprocess.run(["busctl", "status", NAME], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    found = re.search(r"^PID=(\d+)$", done.stdout, re.MULTILINE)
    return int(found.group(1)) if found else None


def our_programs():
    return re.findall(r"name (aa_\w+)", run("bpftool", "prog", "show"))


def journal():
    """Its own words and systemd's about it, since boot."""
    return run("journalctl", "-b", "-u", UNIT, "-o", "cat", "--no-pager")


def own_words():
    """What the daemon that runs now has logged."""
    return run("journalctl", "-o", "cat", "--no-pager", f"_SYSTEMD_INVOCATION_ID={show('InvocationID')}")


@functools.cache
def install():
    """Once for all classes: nothing of it changes, and here it takes seconds."""
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet")
    run("systemd-sysusers")
    run("systemctl", "daemon-reload")


class GuestCase(unittest.TestCase):
    """Installed and stopped before each test; as it was before afterwards."""

    @classmethod
    def setUpClass(cls):
        if not os.environ.get("AA_GUEST"):
            raise unittest.SkipTest("changes the machine it runs on: only in a guest (./dev guest)")
        install()

    def setUp(self):
        self.addCleanup(self.stop)

    @staticmethod
    def stop():
        LIGHT.unlink(missing_ok=True)
        if DROP_IN.exists():
            DROP_IN.unlink()
            run("systemctl", "daemon-reload")
        run("systemctl", "disable", "--now", UNIT)
        run("systemctl", "reset-failed", check=False)

    @staticmethod
    def make_light():
        LIGHT.parent.mkdir(exist_ok=True)
        LIGHT.write_text('[families]\nfile = "off"\ntls = "off"\n')

    @classmethod
    def start(cls, *, drop_in="", light=False):
        """Enabled and running; returns the daemon's process id. Light: without the families that take seconds here to start
        and to end."""
        if light:
            cls.make_light()
        if drop_in:
            DROP_IN.parent.mkdir(parents=True, exist_ok=True)
            DROP_IN.write_text(drop_in)
            run("systemctl", "daemon-reload")
        run("systemctl", "enable", "--now", UNIT)
        return int(show("MainPID"))

    def wait_for_another(self, pid, seconds=30):
        """The process id of the daemon that followed `pid`, once it is ready."""
        def follower():
            now = int(show("MainPID"))
            return now not in (0, pid) and show("ActiveState") == "active" and bus_owner() == now and now

        return wait_until(follower, f"a daemon after {pid}", seconds)


class Agent:
    """A live process that runs a program each time it is told to."""

    def __init__(self):
        self.process = subprocess.Popen(["/bin/sh", "-c", "while read -r word; do /bin/sleep 0.$word; echo done; done"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        end_at_exit(self.process)
        self.pid = self.process.pid

    def work(self):
        self.process.stdin.write("1\n")
        assert self.process.stdout.readline() == "done\n"

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20 * PATIENCE)


class AgentCase(GuestCase):
    def agent(self):
        agent = Agent()
        self.addCleanup(agent.end)
        return agent

    def watch(self, pid):
        answer = call(MANAGER, "StartMonitoring", "ua{sv}", pid, 0)
        self.assertRegex(answer, rf'^s "{UUID}"$')
        return answer.split('"')[1]


class RunningCase(GuestCase):
    """One daemon for all tests of a class, without the families that take seconds; each test stops what it watches."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(cls.stop)
        cls.start(light=True)

    def setUp(self):
        self.addCleanup(self.stop_targets)

    @staticmethod
    def targets():
        return [json.loads(line) for line in run("aactl", "--json", "targets").splitlines()]

    def stop_targets(self):
        for row in self.targets():
            if row["state"] == "running":
                run("aactl", "unwatch", row["id"])
