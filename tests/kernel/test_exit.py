"""What an exit event says: once per process, when its last thread leaves, with the status that wait(2) gives."""

import os
import resource
import signal
import subprocess
import unittest

from harness import program, watch
from kernel_case import Account, KernelCase, words


def allow_core():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


class Exit(KernelCase):
    without = ("file", "tls")

    def compare(self, account, said):
        told = words(said)["status"]
        self.assertEqual(told, [(pid, account.status_of(pid)) for pid, _ in told])
        return [status for _, status in told]

    def test_every_code_and_signal(self):
        """exit: every exit code and every signal is what wait(2) says"""
        statuses = self.compare(*self.watched("exit_codes", cwd=self.folder))
        self.assertEqual([code << 8 for code in range(256)], statuses[:256])
        self.assertEqual(10, len(statuses[256:]))

    def test_core(self):
        """exit: a dumped core is marked, just where wait(2) marks it"""
        account, said = self.watched("exit_codes", cwd=self.folder, preexec_fn=allow_core)
        statuses = self.compare(account, said)
        dumped = [status for status in statuses if status & 0x80]
        if not dumped:
            self.skipTest("no core is dumped here, whatever RLIMIT_CORE says")
        self.assertEqual(len(dumped), sum(e["exit"]["core_dumped"] for e in account.of_type("exit")))

    def test_leader_exits_first(self):
        """exit: a process whose leader leaves first ends when its last thread does, once, with the status of wait(2)"""
        for way in ("group", "thread"):
            with self.subTest(way=way):
                account, said = self.watched("leader_exits_first", way, 3, 9)
                ((process, last_thread),) = words(said)["leader-gone"]
                (end,) = account.of_type("exit")
                self.assertEqual(process, end["process"]["pid"])
                self.assertEqual(os.waitstatus_to_exitcode(account.status_of(process)), self.last.status)
                if way == "thread":
                    self.assertEqual(last_thread, end["process"]["tid"])

    def test_run_time(self):
        """exit: the run time is the time from its start to its end"""
        account, _ = self.watched("exit_codes", cwd=self.folder)
        for end in account.of_type("exit"):
            start = int(end["process"]["id"].partition("-")[2])
            self.assertEqual(end["boot_ns"] - start, end["exit"]["runtime_ns"])

    def test_killed_from_outside(self):
        """exit: a process killed by somebody else says by which signal"""
        with watch(self.daemon, [program("hold")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
            held.go()
            held.process.stdout.readline()
            held.process.kill()
            self.assertEqual(signal.SIGKILL, Account(held.finish()).status_of(held.pid))


if __name__ == "__main__":
    unittest.main()
