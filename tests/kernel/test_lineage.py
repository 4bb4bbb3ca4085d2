"""Lineage over real trees: what the bus answers is what the workload and /proc say."""

import pathlib
import subprocess
import unittest

import dbus
from harness import error_of, process_id, program, watch
from kernel_case import KernelCase, pid_of


def proc_parent(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Lineage(KernelCase):
    settings = {"lineage.keep_exited_count": 1000}

    def brood(self, count):
        """A watched brood, all of it alive; returns it and its children's pids."""
        watched = watch(self.daemon, [program("brood"), str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(watched.close)
        watched.go()
        children = [int(watched.process.stdout.readline().split()[1]) for _ in range(count)]
        watched.stream.wait_for(lambda e: e["type"] == "fork" and e["fork"]["child_pid"] == children[-1])
        return watched, children

    def end(self, watched):
        watched.process.stdin.close()
        watched.process.stdout.close()
        return watched.finish()

    def test_living_tree(self):
        """lineage: GetTree, GetDescendants and IsDescendantOf show the tree that lives"""
        watched, children = self.brood(20)
        tree = self.daemon.tree(watched.target)
        self.assertEqual({watched.pid, *children}, {int(row["pid"]) for row in tree.values()})
        self.assertEqual({-1}, {int(row["exit"]) for row in tree.values()})
        rows = self.daemon.lineage.GetDescendants(dbus.UInt32(watched.pid), dbus.UInt32(1))
        self.assertEqual(children, [int(row[3]) for row in rows if int(row[3]) != watched.pid])
        for child in children:
            self.assertTrue(self.daemon.lineage.IsDescendantOf(dbus.UInt32(child), dbus.UInt32(watched.pid)))
            self.assertFalse(self.daemon.lineage.IsDescendantOf(dbus.UInt32(watched.pid), dbus.UInt32(child)))
        self.assertTrue(self.daemon.lineage.IsDescendantOf(dbus.UInt32(watched.pid), dbus.UInt32(watched.pid)))
        self.end(watched)

    def test_ancestry_up_to_one(self):
        """lineage: ancestry is the process, its parents up to the root, and on to process 1, as /proc shows them"""
        watched, children = self.brood(1)
        pid, expected = children[0], []
        while pid != 0:
            expected.append(pid)
            pid = proc_parent(pid)
        rows = self.daemon.lineage.GetAncestry(dbus.UInt32(children[0]))
        self.assertEqual(expected, [int(row[3]) for row in rows])
        for row, parent in zip(rows, rows[1:]):
            self.assertEqual(str(row[1]), str(parent[0]))
        for row in rows:
            ticks = int(row[2]) // 10_000_000
            self.assertEqual(process_id(int(row[3])), (int(row[3]), ticks))
        self.end(watched)

    def test_get_process(self):
        """lineage: GetProcess tells of a living process what it is and, afterwards, how it ended"""
        watched, (child,) = self.brood(1)
        root = self.daemon.lineage.GetProcess(dbus.UInt32(watched.pid))
        known = self.daemon.lineage.GetProcess(dbus.UInt32(child))
        self.assertEqual((child, -1, program("brood"), "brood"),
                         (int(known["pid"]), int(known["exit"]), str(known["exe"]), str(known["comm"])))
        self.assertEqual([program("brood"), "1"], list(known["argv"]))
        self.assertEqual(str(root["id"]), str(known["parent_id"]))
        self.assertEqual(watched.target, str(known["target"]))
        self.end(watched)
        self.assertEqual(0, int(self.daemon.lineage.GetProcess(dbus.UInt32(child))["exit"]))

    def test_whole_tree_remembered(self):
        """lineage: of a tree that is gone every process is remembered with its parent and its end"""
        log = self.folder / "tree"
        account, _ = self.watched("forking_tree", 500, 50, log, 7)
        tree = self.daemon.tree(self.last.target)
        self.assertEqual(account.forks, {i: str(r["parent_id"]) for i, r in tree.items() if pid_of(i) != self.last.pid})
        self.assertEqual({0}, {int(row["exit"]) for row in tree.values()})
        order = list(tree)
        for process, row in tree.items():
            if str(row["parent_id"]) in tree:
                self.assertLess(order.index(str(row["parent_id"])), order.index(process), "a child before its parent")

    def test_pages(self):
        """lineage: ListProcesses shows everyone once, page by page"""
        watched, children = self.brood(50)
        seen, cursor = [], ""
        selector = dbus.Dictionary({"target": watched.target}, signature="sv")
        while True:
            page, cursor = self.daemon.lineage.ListProcesses(selector, cursor, dbus.UInt32(7))
            self.assertLessEqual(len(page), 7)
            seen += [int(row["pid"]) for row in page]
            if not cursor:
                break
        self.assertEqual(sorted([watched.pid, *children]), sorted(seen))
        self.end(watched)

    def test_memory_is_bounded(self):
        """lineage: of the exited no more are remembered than the configuration allows"""
        log = self.folder / "log"
        log.touch()
        self.watched("storm", "fork", 3000, 2, log, sound=False, deadline=60)
        self.assertLessEqual(self.daemon.counters()["lineage.remembered"], 1000 + 100)

    def test_unknown(self):
        """lineage: a pid nobody has is NoSuchProcess, an id nobody has is NoSuchTarget"""
        for call in (self.daemon.lineage.GetProcess, self.daemon.lineage.GetAncestry):
            self.assertEqual("NoSuchProcess", error_of(call, dbus.UInt32(4_000_000))[0])
        self.assertEqual("NoSuchTarget", error_of(self.daemon.lineage.GetTree, "6f0c0000-0000-5000-8000-000000000000")[0])

    def test_rows_agree_with_events(self):
        """lineage: ids, parents and ends of the bus are those of the events"""
        account, _ = self.watched("subreaper")
        tree = self.daemon.tree(self.last.target)
        self.assertEqual(set(account.exits), set(tree))
        for process, (end,) in account.exits.items():
            self.assertEqual(end["exit"]["code"] << 8, int(tree[process]["exit"]))
            self.assertEqual(end["process"]["parent_id"], str(tree[process]["parent_id"]))


if __name__ == "__main__":
    unittest.main()
