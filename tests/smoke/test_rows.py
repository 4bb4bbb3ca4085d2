"""The rows of tests/guest/rows.py that tell soonest, each a test; what a row needs and runs is said there."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/guest"))
import rows  # noqa: E402

UNAVAILABLE = 3


class Rows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build = pathlib.Path(os.environ.get("AA_BUILD") or ROOT / "build").resolve()
        with tempfile.TemporaryDirectory(prefix="aa-smoke-") as folder:
            summary = pathlib.Path(folder) / "summary"
            done = subprocess.run(
                ["/usr/bin/python3", str(ROOT / "tests/support/guest/main.py"), "--logs", str(build / "guest-logs"),
                 "--summary", str(summary), "--smoke"],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
            if done.returncode == UNAVAILABLE or not summary.exists():
                why = [line for line in done.stderr.splitlines() if line.startswith("guest: ")]
                raise RuntimeError(f"no guests: {why[-1] if why else done.stderr[-2000:]}")
            cls.outcome = json.loads(summary.read_text())

    def assert_row(self, name):
        self.assertEqual([], self.outcome[name])


def row_test(name):
    def test(self):
        self.assert_row(name)

    test.__doc__ = f"guest {name}: what is built for it works on it, under systemd"
    return test


for row_name in rows.SMOKE:
    setattr(Rows, f"test_{row_name.replace('.', '_')}", row_test(row_name))


if __name__ == "__main__":
    unittest.main()
