"""The bus may vanish and come back: events go on, nothing is lost, and afterwards every method answers again."""

import os
import pathlib
import tempfile

import dbus

from harness import NAME, PATH, connect, error_of, kind_of_change, program, wait_until, watch
from kernel_case import QUICK, KernelCase, read_lines

RESTARTS = 5 if QUICK else 20
STORM = int(os.environ.get("AA_STORM") or (11_000 if QUICK else 100_000))
KEPT = 50_000  # exited processes remembered: lineage.keep_exited_count
LOST = ("ring-full", "scratch", "recursion", "return-missed", "bad-record", "sink-stalled")


class BusGone(KernelCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="aa-bus-gone-")
        cls.addClassCleanup(folder.cleanup)
        cls.file = pathlib.Path(folder.name) / "events.jsonl"
        cls.settings = {"jsonl.path": cls.file}
        super().setUpClass()

    def reconnect(self):
        """A new connection, once the name is owned there again."""
        def owned():
            try:
                connection = connect(self.bus.address)
                connection.get_object(NAME, PATH, introspect=False).Get(
                    NAME + ".Manager", "Version", dbus_interface=dbus.PROPERTIES_IFACE, timeout=5)
            except dbus.DBusException:
                return None
            self.connection = connection
            return True

        wait_until(owned, "the name is owned again", 20)
        proxy = self.connection.get_object(NAME, PATH, introspect=False)
        self.daemon.connection, self.daemon._proxy = self.connection, proxy
        self.daemon.manager = dbus.Interface(proxy, NAME + ".Manager")
        self.daemon.lineage = dbus.Interface(proxy, NAME + ".Lineage")

    def in_full(self, count, call, *arguments):
        """All of a tree; one too large for a reply is refused, with the way to have it in pages."""
        try:
            self.assertEqual(count, len(call(*arguments)))
        except dbus.DBusException as refusal:
            self.assertEqual(NAME + ".Error.LimitReached", refusal.get_dbus_name())
            self.assertIn("ListProcesses", refusal.get_dbus_message())
            self.assertGreater(count, 10_000)

    def call_everything(self, target, pid):
        """Each method answers, by a value or by its own refusal."""
        daemon, number = self.daemon, dbus.UInt32(pid)
        self.assertIn(target, daemon.targets())
        pages = [str(row["id"]) for row in daemon.processes(target=target)]
        self.assertEqual(len(set(pages)), len(pages), "pages overlap")
        self.assertGreaterEqual(len(pages), min(STORM, KEPT))
        self.in_full(len(pages), daemon.tree, target)
        self.in_full(len(pages) - 1, daemon.lineage.GetDescendants, number, dbus.UInt32(0))
        self.assertEqual(pid, int(daemon.lineage.GetProcess(number)["pid"]))
        self.assertEqual(pid, int(daemon.lineage.GetAncestry(number)[0][3]))
        self.assertTrue(daemon.lineage.IsDescendantOf(number, number))
        self.assertEqual("shell", daemon.manager.TestCommand(["bash"])[0])
        for name in ("Version", "ProbeStates", "Counters", "PathFilterGeneration", "ConfigFile", "BootTime"):
            daemon.property(name)
        self.assertEqual("NoSuchProcess", error_of(daemon.manager.Explain, dbus.UInt32(4_000_000))[0])
        with watch(daemon, [program("tiny"), "0"]) as watched:
            self.assertTrue(watched.run())
            self.assertEqual({watched.pid}, {int(row["pid"]) for row in daemon.tree(watched.target).values()})
        with watch(daemon, [program("hold")], pidfd=True) as watched:
            daemon.stop_monitoring(watched.target)

    def test_restarts_during_a_storm(self):
        """bus: killed and restarted again and again (20 times with --full) during a storm: 0 events lost, every method works again"""
        with watch(self.daemon, [program("storm"), "exec", str(STORM), "4", str(self.folder / "log"),
                                 str(program("tiny"))], selector={"types": ["target"]}) as storm:
            storm.go()
            for _ in range(RESTARTS):
                self.bus.kill()
                self.bus.start()
                self.reconnect()
            storm.finish(300)
        self.call_everything(storm.target, storm.pid)

        def complete():
            return any(kind_of_change(e) == "exited" and e["target"]["id"] == storm.target
                       for e in read_lines(self.file))

        wait_until(complete, "the file holds the target's end", 60)
        events = [e for e in read_lines(self.file) if e.get("target", {}).get("id") == storm.target]
        self.assertEqual(3 * STORM + 2 + 4 * 2, sum(e["type"] in ("fork", "exec", "exit") for e in events))
        counters = self.daemon.counters()
        self.assertEqual(0, sum(counters.get(f"exec.{cause}", 0) for cause in LOST))
