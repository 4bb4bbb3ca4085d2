#!/usr/bin/python3
"""The suites' own runner: what failed is said to have failed."""

import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest

import tree

sys.path.insert(0, str(tree.ROOT / "tests/support"))
import suites  # noqa: E402

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

    def test_side_by_side(self):
        """runner: programs run side by side, and are told in their order with what each of them printed"""
        scripts = {"first": "until [ -e second ]; do sleep 0.01; done; echo of the first; exit 1",
                   "second": "touch second; echo of the second", "third": "echo of the third; exit 1"}
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as told:
            place = pathlib.Path(folder)
            parts = [suites.Part(name, ["sh", "-c", f"cd {place}; {script}"], None, place / f"{name}.log", 60, {}, is_alone=False)
                     for name, script in scripts.items()]
            total = suites.run_group(parts, 2, None)
        self.assertEqual(suites.Count(1, 2, 0), total)
        lines = [line.partition(" (")[0] for line in told.getvalue().splitlines() if not line.startswith("----")]
        self.assertEqual([f"{'first':<34} 0 passed, 1 failed, 0 skipped", "of the first", f"{'second':<34} 1 passed, 0 failed, 0 skipped",
                          f"{'third':<34} 0 passed, 1 failed, 0 skipped", "of the third"], lines)


if __name__ == "__main__":
    unittest.main()
