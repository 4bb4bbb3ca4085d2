#!/usr/bin/python3
"""How guests are judged: what on a console is a complaint of the kernel's, and what becomes of a row."""

import concurrent.futures
import json
import pathlib
import sys
import tempfile
import threading
import unittest
import unittest.mock

import tree

sys.path[:0] = [str(tree.ROOT / folder) for folder in ("tests/support/guest", "tests/guest", "tests/support")]
import console  # noqa: E402
import debian  # noqa: E402
import machine  # noqa: E402
import main  # noqa: E402
import place  # noqa: E402
import rows  # noqa: E402
import table  # noqa: E402
from deadline import wait_until  # noqa: E402

COMPLAINTS = (
    "[   12.345678] WARNING: CPU: 1 PID: 7 at kernel/bpf/verifier.c:1 check+0x1/0x2",
    "[   12.345678] BUG: unable to handle page fault for address: 0000000000000008",
    "[    2.000001][    C1] Kernel panic - not syncing: Attempted to kill init!",
    "[  101.000001] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "[  101.000001] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [x:1]",
    "[  243.000001] INFO: task kworker/0:1:9 blocked for more than 120 seconds.",
    "[    9.000001] WARNING: possible circular locking dependency detected",
    "[    9.000001] NMI watchdog: Watchdog detected hard LOCKUP on cpu 1",
    "[    9.000001] rcu: rcu_preempt kthread starved for 5250 jiffies!",
    "[    9.000001] BUG: Bad page state in process x  pfn:1",
    "[    9.000001] list_del corruption, ffff888 is LIST_POISON1",
    "[    9.000001] EXT4-fs error (device vda): ext4_lookup:1: inode #2",
    "  ok    a test  [    9.000001] Oops: 0000 [#1] PREEMPT SMP",  # the suites' words end without a line break
)
HARMLESS = (
    "WARNING: a test speaks of BUG: and Kernel panic",
    "[    3.441605] Unstable clock detected, switching default tracing clock to \"global\"",
    "[  201.012431] hrtimer: interrupt took 12061550 ns",
    "  FAIL  [12] WARNING: not stamped as the kernel does",
)
UP = {"event": "up", "versions": {"kernel": "6.1"}}
GOOD = {"event": "part", "name": "kernel", "seconds": 1.0, "trouble": "", "passed": 2, "failed": 0, "skipped": 0,
        "failures": [], "skips": []}
BAD = {**GOOD, "failed": 1, "failures": [["exec: seen", "AssertionError: 1 != 2"]]}
DONE = {"event": "done", "status": 0}


class Guests(unittest.TestCase):
    def judged(self, reports, text="", trouble=""):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in reports))
            (folder / "console.log").write_text(text)
            return machine.judge(trouble, folder, 0)

    def test_complaints(self):
        """guests: what the kernel complains of is found among the suites' own words, and nothing else is"""
        for line in COMPLAINTS:
            self.assertTrue(console.complaint(f"before\n{line}\nafter"), line)
        for line in HARMLESS:
            self.assertEqual("", console.complaint(line))

    def test_passed(self):
        """guests: a row has passed when its suites ran to their end and failed nowhere"""
        self.assertTrue(table.passed(self.judged([UP, GOOD, DONE])))

    def test_failed(self):
        """guests: a failed test, a complaint, an early end, a hang and a row without tests have not passed"""
        for outcome in (self.judged([UP, GOOD, BAD, DONE]), self.judged([UP, GOOD, DONE], COMPLAINTS[0]),
                        self.judged([UP, GOOD]), self.judged([UP, GOOD, DONE], trouble="hangs"), self.judged([UP, DONE]),
                        self.judged([])):
            self.assertFalse(table.passed(outcome))

    def test_silent(self):
        """guests: a row whose suites failed without a failed test has not passed: one was not there, or all were skipped"""
        skipped = {**GOOD, "passed": 0, "skipped": 1}
        outcome = self.judged([UP, skipped, {**DONE, "status": 1}])
        self.assertFalse(table.passed(outcome))
        self.assertIn("not there", outcome.trouble)

    def test_during(self):
        """guests: a guest that hangs or dies says in which test"""
        begun = [{"event": "begin", "test": "exec: one"}, {"event": "test", "test": "exec: one", "outcome": "ok"},
                 {"event": "begin", "test": "exec: two"}]
        self.assertEqual("hangs, during: exec: two", self.judged([UP, *begun], trouble="hangs").trouble)
        self.assertEqual("hangs", self.judged([UP, *begun[:2]], trouble="hangs").trouble)

    def test_suites(self):
        """guests: every suite of every row is there, and one that is not is refused before anything is made"""
        for row in rows.ROWS:
            main.check_suites((*row.suites, *row.smoke))
        main.check_suites(rows.FULL_SUITES)
        for name in ("kernle", "tests/kernel/test_typo.py", "tests/kernel"):
            with self.assertRaises(place.Unavailable):
                main.check_suites([name])

    def test_alone(self):
        """guests: two runs of one clone do not share its guests' files"""
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.dict("os.environ", XDG_CACHE_HOME=folder):
            with place.alone():
                with self.assertRaises(place.Unavailable), place.alone():
                    pass
            with place.alone():
                pass

    def test_waiting(self):
        """guests: who waits for a part that is being made already is told so"""
        said, got = [], threading.Event()

        def take():
            with place.locked("part"):
                got.set()

        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.dict("os.environ", XDG_CACHE_HOME=folder), \
                unittest.mock.patch("place.note", said.append):
            waiting = threading.Thread(target=take)
            with place.locked("part"):
                waiting.start()
                wait_until(lambda: said, "somebody waits")
                self.assertFalse(got.is_set())
            waiting.join()
        self.assertEqual((True, ["waiting: part is being made already"]), (got.is_set(), said))

    def test_trouble(self):
        """guests: the first part that cannot be had is told at once, and what is being made beside it stops"""
        self.assert_stopped(["sleep", "infinity"])

    def test_trouble_in_the_background(self):
        """guests: it stops also where nobody hears Ctrl-C, as what a script starts in the background"""
        with unittest.mock.patch.object(place, "PATIENCE_AT_END", 1):
            self.assert_stopped(["sh", "-c", "trap '' INT; sleep infinity"])

    def assert_stopped(self, command):
        tasks = pathlib.Path("/proc/self/task")

        def refuse():
            wait_until(lambda: any((task / "children").read_text() for task in tasks.iterdir()), "the other part is made")
            raise place.Unavailable("no such kernel")

        with self.assertRaisesRegex(place.Unavailable, "no such kernel"), concurrent.futures.ThreadPoolExecutor() as pool:
            main.Parts.stop_at_trouble([pool.submit(place.run, command, "sleep"), pool.submit(refuse)])

    def test_why(self):
        """guests: what failed is said with row, suite, sentence and reason"""
        self.assertEqual(["FAIL 6.1 kernel: exec: seen: AssertionError: 1 != 2"],
                         table.failures(rows.ROWS[2], self.judged([UP, BAD, DONE])))

    def test_boot_told_apart(self):
        """guests: one that never came up is told apart from one whose tests failed"""
        self.assertFalse(self.judged([]).up)
        self.assertTrue(self.judged([UP]).up)

    def test_torn_report(self):
        """guests: a line the guest died in is not taken for a result"""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "console.log").touch()
            (folder / "results.jsonl").write_text(json.dumps(UP) + '\n{"event": "do')
            outcome = machine.judge("", folder, 0)
        self.assertEqual(([UP], "ended before its suites were done"), (outcome.reports, outcome.trouble))

    def test_rows(self):
        """guests: rows have names of their own and known releases, and smoke boots each release"""
        names = [row.name for row in rows.ROWS]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual({row.release for row in rows.ROWS}, set(debian.CODENAMES))
        self.assertEqual({row.release for row in rows.ROWS if row.smoke}, set(debian.CODENAMES))


if __name__ == "__main__":
    unittest.main()
