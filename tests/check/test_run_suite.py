#!/usr/bin/python3
"""The suites' own runner: what failed is said to have failed."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import tree

SKIPS_IN_THE_END = """
import unittest


class Case(unittest.TestCase):
    def skip(self):
        self.skipTest("the rest cannot run here")

    def test_whole(self):
        \"\"\"a test that fails, and would be skipped\"\"\"
        self.addCleanup(self.skip)
        self.fail()

    def test_part(self):
        \"\"\"a test of which a part fails, and the rest is skipped\"\"\"
        self.addCleanup(self.skip)
        with self.subTest("part"):
            self.fail()

    def test_skipped(self):
        \"\"\"a test that is skipped\"\"\"
        self.addCleanup(self.skip)
"""


class RunSuite(unittest.TestCase):
    def test_skipped_in_the_end(self):
        """runner: a test that failed, or a part of it, is a failure, though the rest of it is skipped"""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "test_it.py"
            file.write_text(SKIPS_IN_THE_END)
            done = subprocess.run([sys.executable, tree.ROOT / "tests/support/run_suite.py", file], stdout=subprocess.PIPE, text=True)
        self.assertEqual((1, "test_it: 0 passed, 2 failed, 1 skipped"), (done.returncode, done.stdout.splitlines()[-1]), done.stdout)


if __name__ == "__main__":
    unittest.main()
