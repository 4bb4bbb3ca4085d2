"""`./dev run` as a person at a terminal uses it."""

import os
import pathlib
import shutil
import signal
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class DevRun(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0 or not shutil.which("ninja"):
            self.skipTest("needs root and what a build needs")
        if os.environ.get("AA_GUEST"):
            self.skipTest("in a guest there are no objects: it would compile everything")

    @staticmethod
    def as_at_a_terminal():
        """A shell cannot trap what was ignored when it started, as it is for background jobs."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def test_interrupt_key(self):
        """dev run: the interrupt key is the command's affair: what it does afterwards is seen too"""
        # SIGINT for the whole process group, as the terminal sends it.
        script = "trap 'echo going on' INT; kill -INT 0; /bin/echo AFTER; exit 3"
        env = {key: value for key, value in os.environ.items() if not key.startswith("SUDO_")}
        done = subprocess.run([ROOT / "dev", "run", "--", "bash", "-c", script], stdin=subprocess.DEVNULL, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                              timeout=120, preexec_fn=self.as_at_a_terminal)
        self.assertEqual(3, done.returncode, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^going on\n(.*\n)*AFTER\n")  # lines of the account may come between
        self.assertRegex(done.stdout, r"\d+ /bin/echo AFTER")
        self.assertIn("0 events lost", done.stdout)
        self.assertNotIn("incomplete", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
