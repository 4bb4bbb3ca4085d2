"""The storm of the ledger with process ids that come back all the time. Lowering pid_max disturbs nobody here."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kernel"))
import test_ledger  # noqa: E402  as a module: its own tests are not to run here again

PID_MAX = pathlib.Path("/proc/sys/kernel/pid_max")
HIGHEST = 500  # new processes get ids from 300 up to this


class PidReuse(test_ledger.DefaultRing):
    without = ("file", "tls")

    @classmethod
    def setUpClass(cls):
        if not os.environ.get("AA_GUEST"):
            raise unittest.SkipTest("changes the machine it runs on: only in a guest (./dev guest)")
        super().setUpClass()
        before = PID_MAX.read_text()
        cls.addClassCleanup(PID_MAX.write_text, before)
        PID_MAX.write_text(str(HIGHEST))

    def compare(self, made, events):
        pids = [pid for log in made.values() for pid, _ in log]
        self.assertGreater(len(pids), 2 * len(set(pids)), "hardly a process id came back: this proves nothing")
        super().compare(made, events)


if __name__ == "__main__":
    unittest.main()
