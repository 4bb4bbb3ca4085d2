"""Other people's tools doing the same job: found, started, and known to work before anything is measured."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

# bpftrace finds tracepoints through tracefs; where it is not mounted it is, for the tool alone.
WITH_TRACEFS = ["unshare", "--mount", "sh", "-c",
                '[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"', "sh"]
MARK = "is-it-there"


class Snoop:
    """One run of the tool, from when it shows what is done until it is stopped; its lines afterwards."""

    def __init__(self, command, provoke):
        self._out = tempfile.TemporaryFile()
        self._process = subprocess.Popen([*WITH_TRACEFS, *command], stdin=subprocess.DEVNULL, stdout=self._out,
                                         stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        self.shows = self._await(provoke)

    def _await(self, provoke):
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            provoke()
            if MARK.encode() in os.pread(self._out.fileno(), 1 << 20, 0):
                return True
            time.sleep(0.1)
        return False

    def stop(self):
        """The lines it wrote. bpftrace has been seen not to end when asked once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
                break
        self._out.seek(0)
        with self._out:
            return self._out.read().splitlines()


def why_none(commands):
    """The reason, where first_that_works found none."""
    there = [command[0] for command in commands if shutil.which(command[0])]
    return f"{', '.join(there)}: shows nothing here" if there else f"{', '.join(c[0] for c in commands)}: not installed"


def first_that_works(commands, provoke):
    """The first of the commands that is installed and shows what `provoke` does; None."""
    for command in commands:
        if not shutil.which(command[0]):
            continue
        snoop = Snoop(command, provoke)
        snoop.stop()
        if snoop.shows:
            return command
    return None
