"""What the file tests share: rules set for a test, and file events by what they say."""

import collections
import functools
import os
import signal
import subprocess
import time

import dbus

import mounts

from deadline import wait_until
from harness import CALL_TIMEOUT, kernel_since, program
from kernel_case import KernelCase
from kernel_maps import KernelMaps

# From there on the kernel lets others run in the middle of programs or of a map's change: then it skips some runs, and counts them.
KERNEL_SKIPS = kernel_since(7, 0)


def of(account, **wanted):
    """The file members of an account's events that say all of `wanted`."""
    found = [event["file"] for event in account.of_type("file")]
    return [body for body in found if all(body.get(name) == value for name, value in wanted.items())]


def path_alerts(account):
    """The alerts that path rules raised: a shell is one of another kind."""
    return [event for event in account.of_type("alert") if event["alert"]["kind"] == "sensitive-path"]


@functools.cache
def takes_32bit_calls():
    """Whether this kernel does: it may be built, or booted, so that int 0x80 ends a program (ia32_emulation). A guest's must."""
    ask = [program("alias_ops"), "compat", "-", "/dev/null", "open"]
    return "AA_GUEST" in os.environ or subprocess.run(ask, stdout=subprocess.DEVNULL, check=False).returncode != -signal.SIGSEGV


class FileCase(KernelCase):
    types = ()  # all of them

    def deny(self, *patterns):
        """The running layer denies these; returns the generation."""
        return self.rules("deny", *patterns)

    def rules(self, verdict, *patterns):
        return self.put_rules(*((verdict, pattern) for pattern in patterns))

    def put_rules(self, *rules):
        """Pairs of verdict and pattern."""
        rows = dbus.Array([(str(pattern), verdict) for verdict, pattern in rules], signature="(ss)")
        generation = int(self.daemon.manager.UpdatePathFilter(rows, timeout=CALL_TIMEOUT))
        self.addCleanup(self.daemon.manager.UpdatePathFilter, dbus.Array([], signature="(ss)"))
        return generation

    def secret(self, name="secret", size=256):
        path = self.folder / name
        path.write_bytes(b"s" * size)
        return path

    def mounted(self, what, where, *kind_and_options):
        try:
            mounts.mount(what, where, *kind_and_options)
        except OSError as error:
            self.skipTest(str(error))
        self.addCleanup(mounts.unmount, where)

    def overlaid(self, lower, layers, where):
        """Mounts an overlay, its upper folder on a file system of its own."""
        for name in ("up", "work"):
            (layers / name).mkdir()
        self.mounted("overlay", where, "overlay", f"lowerdir={lower},upperdir={layers}/up,workdir={layers}/work")

    def is_denied(self, path):
        (verdict,) = self.verdicts(path)
        return verdict == "deny"

    def verdicts(self, path):
        """Of an open of PATH as it is told: none when it is not."""
        account, _ = self.watched("alias_ops", "plain", "-", path, "open")
        return [body["verdict"] for body in of(account, op="open", path=str(path))]

    def learned(self, path):
        """A watched open of PATH, and the kernel knows what only a glob meant."""
        self.watched("alias_ops", "plain", "-", path, "open")
        number = path.stat().st_ino
        wait_until(lambda: any(key[0] == number for key in KernelMaps(self.daemon.pid).objects), f"{path} is known", 10)

    def need_32bit_calls(self):
        if not takes_32bit_calls():
            self.skipTest("this kernel takes no 32-bit calls")

    def routes(self, *names):
        """Those of them that this kernel has. A test that asks for others is called skipped, once the rest of it has passed."""
        self.addCleanup(self.need_32bit_calls)
        return [name for name in names if takes_32bit_calls() or not name.startswith("compat")]

    def need_uring(self):
        """Skips where requests of io_uring are not seen: by system call trace points before 6.1."""
        by_calls = any(row[1] == "aa_file_exit" and row[2] != "unavailable" for row in self.daemon.property("ProbeStates"))
        if by_calls and not kernel_since(6, 1):
            self.skipTest("before 6.1 no trace point tells whose a completion is")

    def assert_ledger(self):
        """attempts = delivered + lost, once everything is read."""
        for _ in range(100):
            counters = self.daemon.counters()
            lost = sum(value for name, value in counters.items()
                       if name in ("file.ring-full", "file.scratch", "file.recursion"))
            if counters["file.attempt"] == counters["file.delivered"] + lost:
                return counters
            time.sleep(0.05)
        self.fail(f"attempts are not delivered + lost: {counters}")


def totals(bodies):
    """{path: [opens, reads, bytes read, writes, bytes written]}."""
    sums = collections.defaultdict(lambda: [0, 0, 0, 0, 0])
    for body in bodies:
        row = sums[body["path"]]
        if body["op"] in ("open", "create") and body["result"] >= 0:
            row[0] += 1
        elif body["op"] == "read" and body["result"] >= 0:
            row[1] += body["count"]
            row[2] += body["bytes"]
        elif body["op"] == "write" and body["result"] >= 0:
            row[3] += body["count"]
            row[4] += body["bytes"]
    return dict(sums)
