"""Every way to make a process: who forked it is what the event and the lineage say, whoever reaps it later."""

import os
import subprocess
import unittest

from harness import program
from kernel_case import KernelCase, words

TINY = "tiny"


class Forks(KernelCase):
    without = ("file", "tls")

    def test_spawn_ways(self):
        """forks: vfork, posix_spawn and a raw clone3 each give a fork, an exec and an exit"""
        for way in ("vfork", "posix_spawn", "clone3"):
            with self.subTest(way=way):
                account, said = self.watched("spawn_ways", way, program(TINY))
                ((child, parent),) = words(said)["fork"]
                self.assertEqual({child: parent}, account.parents())
                (exec_event,) = account.execs[account.id_of(child)]
                self.assertEqual(program(TINY), exec_event["exec"]["filename"])
                self.assertEqual([program(TINY), "3"], exec_event["exec"]["argv"])
                self.assertEqual(3 << 8, account.status_of(child))

    def test_double_fork(self):
        """forks: a daemon that forked twice with setsid keeps the parent that forked it"""
        account, said = self.watched("double_fork_setsid", program(TINY))
        told = words(said)
        self.assertEqual(dict(told["fork"]), account.parents())
        ((daemonized, new_parent),) = told["reparented"]
        self.assertNotEqual(new_parent, account.parents()[daemonized])
        self.assertEqual(4 << 8, account.status_of(daemonized))

    def test_subreaper(self):
        """forks: a subreaper gets orphans to wait for, not to call its own"""
        account, said = self.watched("subreaper")
        told = words(said)
        self.assertEqual(dict(told["fork"]), account.parents())
        self.assertEqual(3, len(told["fork"]))
        for orphan, reaper in told["reparented"]:
            self.assertEqual(self.last.pid, reaper)
            self.assertNotEqual(reaper, account.parents()[orphan])

    def test_clone_parent(self):
        """forks: a child made with CLONE_PARENT was forked by its maker, not by the parent it is given"""
        account, said = self.watched("clone_parent")
        told = words(said)
        self.assertEqual(dict(told["fork"]), account.parents())
        ((sibling, given),) = told["parent"]
        self.assertEqual(self.last.pid, given)
        self.assertNotEqual(given, account.parents()[sibling])
        self.assertEqual(9 << 8, account.status_of(sibling))

    def test_new_pid_namespace(self):
        """forks: in a new pid namespace the pids are the outer ones and ns_pid is the inner one"""
        account, said = self.watched("new_pidns", program(TINY))
        told = words(said)["inside"]
        self.assertEqual({pid: parent for pid, parent, _ in told}, account.parents())
        inner = {event["fork"]["child_pid"]: event["fork"].get("child_ns_pid") for event in account.of_type("fork")}
        for pid, _, inside in told:
            self.assertEqual(inside, account.exits[account.id_of(pid)][0]["process"].get("ns_pid"))
            self.assertEqual(inside, inner[pid])
        root_events = [e for e in account.events if e.get("process", {}).get("pid") == self.last.pid]
        self.assertEqual([], [e for e in root_events if "ns_pid" in e["process"]], "the root's pid is the outer one")

    def test_thread_renames_itself(self):
        """forks: a thread that takes another name and forks leaves the process its name"""
        account, said = self.watched("rename_thread")
        ((child, parent, thread),) = words(said)["fork-by-thread"]
        self.assertEqual({child: parent}, account.parents())
        (fork,) = account.of_type("fork")
        self.assertEqual(thread, fork["process"]["tid"])
        self.assertEqual("rename_thread", fork["process"]["comm"])
        for event in account.exits[account.id_of(self.last.pid)]:
            self.assertEqual("rename_thread", event["process"]["comm"])

    def test_threads_are_no_processes(self):
        """forks: a thousand threads that come and go are no events"""
        account, _ = self.watched("thread_storm", 1000)
        self.assertEqual([], account.of_type("fork"))
        self.assertEqual(1, len(account.of_type("exit")))

    def test_child_before_exec_shows_parents_exe(self):
        """forks: a child that never execs is shown with the executable it inherited"""
        account, _ = self.watched("exit_codes")
        children = [e for e in account.of_type("exit") if e["process"]["pid"] != self.last.pid]
        self.assertEqual({program("exit_codes")}, {e["process"]["exe"] for e in children})

    def test_ids_match_proc(self):
        """forks: a process id's start time is the boot time /proc shows, to the tick"""
        account, _ = self.watched("spawn_ways", "vfork", program(TINY))
        start_ns = int(account.of_type("fork")[0]["process"]["id"].partition("-")[2])
        self.assertEqual(self.last.start_ticks, start_ns * os.sysconf("SC_CLK_TCK") // 1_000_000_000)

    def test_unwatched_stay_unseen(self):
        """forks: while a target runs, no event tells of a process outside it"""
        noise = subprocess.Popen([program("storm"), "exec", "500", "2", "/dev/null", program(TINY)])
        self.addCleanup(noise.wait)
        account, _ = self.watched("spawn_ways", "vfork", program(TINY))
        mine = {*account.forks, account.id_of(self.last.pid)}
        self.assertLessEqual({e["process"]["id"] for e in self.last.stream.events if "process" in e}, mine)


if __name__ == "__main__":
    unittest.main()
