"""What tests of aactl share: a daemon on a private bus, and the command with its exit status, output and errors."""

import os
import subprocess
import unittest

from harness import PATIENCE, Daemon, PrivateBus, aactl_path, end_at_exit

WITHIN = 30 * PATIENCE  # seconds a command may take


class AactlCase(unittest.TestCase):
    """A private bus and a daemon for all tests of the class; `settings` become its --set options."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.bus = PrivateBus()
        cls.addClassCleanup(cls.bus.stop)
        cls.daemon = Daemon(cls.bus, settings=cls.settings)
        cls.addClassCleanup(cls.daemon.stop)

    def start(self, *arguments, env=None, bus=None, **popen):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SUDO_")}
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                 **popen}
        process = subprocess.Popen([aactl_path(), "--bus", bus or self.bus.address, *arguments],
                                   env={**clean, **(env or {})}, **popen)
        end_at_exit(process)
        return process

    def aactl(self, *arguments, **options):
        """(exit status, stdout, stderr)"""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=WITHIN)
        return process.returncode, out, err

    def held(self):
        """A process that lives until the test ends."""
        process = subprocess.Popen(["sleep", "600"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def watched(self, name):
        process = self.held()
        self.assertEqual(self.aactl("watch", str(process.pid), "--name", name)[0], 0)
        return process
