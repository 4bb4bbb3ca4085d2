"""Units without systemd: control groups of one's own, and a service manager that names them.

    with Slice() as slice, FakeSystemd(bus, {"agent.service": slice / "agent.service"}):
        …

A real systemd is in the guest suite.
"""

import contextlib
import os
import pathlib
import subprocess
import unittest

from deadline import end_at_exit, wait_until
from paths import program


def hierarchy():
    """The mount point of control groups version 2; skips where there is none that can be written."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            return pathlib.Path(line.split()[4])
    raise unittest.SkipTest("there are no version 2 control groups here")


class Group:
    """A control group: made, given processes, emptied and removed."""

    def __init__(self, path):
        self.path = path  # below the hierarchy's root, as systemd says it
        self.folder = hierarchy() / path.lstrip("/")

    def __truediv__(self, name):
        return Group(f"{self.path}/{name}")

    def make(self):
        self.folder.mkdir(parents=True)
        return self

    def put(self, pid):
        (self.folder / "cgroup.procs").write_text(str(pid))

    def pids(self):
        return [int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()]

    def remove(self):
        """With everything below; whoever is still inside goes back to where the test is."""
        if not self.folder.exists():
            return
        home = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
        own = next(line[3:] for line in home if line.startswith("0::"))
        for folder, _, _ in os.walk(self.folder, topdown=False):
            group = pathlib.Path(folder)
            for pid in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    (hierarchy() / own.lstrip("/") / "cgroup.procs").write_text(pid)
            wait_until(lambda group=group: self._removed(group), f"{group} can be removed")

    @staticmethod
    def _removed(group):
        with contextlib.suppress(OSError):
            group.rmdir()
        return not group.exists()


class FakeSystemd:
    """`units` is {name: Group}; a unit that has no group now lies where Group says, in `slice`."""

    def __init__(self, bus, units, slice_name="aatest.slice"):
        said = []
        for name, group in units.items():
            here = group.path if group.folder.exists() else ""
            said.append(f"{name}={name},loaded,{here},{slice_name}")
        self.process = subprocess.Popen([program("fake_systemd"), bus.address, *said], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        end_at_exit(self.process)
        assert self.process.stdout.readline() == "ready\n", "fake_systemd did not start"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
