"""Units: who is in a control group is watched, and whoever comes from there; with a stand-in for systemd."""

import os
import subprocess

import dbus

from harness import CALL_TIMEOUT, error_of, kind_of_change, program, wait_until
from kernel_case import KernelCase, pid_of
from units import FakeSystemd, Group

UNIT = "agent.service"


class Worker:
    """A process that runs a command each time it is told to."""

    def __init__(self):
        self.process = subprocess.Popen(["/bin/sh", "-c", 'while read -r line; do eval "$line"; echo done; done'],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pid = self.process.pid

    def run(self, line="/bin/true"):
        self.process.stdin.write(line + "\n")
        assert self.process.stdout.readline() == "done\n"

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Units(KernelCase):
    def setUp(self):
        super().setUp()
        self.slice = Group(f"/aatest{os.getpid()}.slice").make()
        self.addCleanup(self.slice.remove)
        self.group = (self.slice / UNIT).make()
        self.workers = []
        self.addCleanup(self.end_workers)

    def end_workers(self):
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.end()

    def worker(self, group=None):
        worker = Worker()
        self.workers.append(worker)
        if group:
            group.put(worker.pid)
        return worker

    def systemd(self, **more):
        units = {UNIT: self.group, **more}
        manager = FakeSystemd(self.bus, units, self.slice.path.lstrip("/"))
        self.addCleanup(manager.__exit__)
        return manager

    def watch(self, unit=UNIT, **options):
        """Its target, and every event of it from now on; released at the test's end."""
        stream = self.daemon.subscribe()
        self.addCleanup(stream.close)
        target = str(self.daemon.manager.StartMonitoringUnit(unit, dbus.Dictionary(options, signature="sv"),
                                                             timeout=CALL_TIMEOUT))
        self.addCleanup(self.release, target)
        return target, stream

    def release(self, target):
        if target in self.daemon.targets():
            self.daemon.stop_monitoring(target)

    def refused(self, unit):
        return error_of(self.daemon.manager.StartMonitoringUnit, unit, dbus.Dictionary({}, signature="sv"),
                        timeout=CALL_TIMEOUT)

    def events_of(self, stream, target, kind, pid):
        """The first such event of that process in that target."""
        return stream.wait_for(lambda e: e["type"] == kind and e.get("target", {}).get("id") == target
                               and e["process"]["pid"] == pid, 20, f"{kind} of {pid}")

    def ends(self, stream, target, worker):
        worker.end()
        return self.events_of(stream, target, "exit", worker.pid)

    def test_at_start(self):
        """units: whoever is in the control group, or below it, or comes from one that is, is taken in at once"""
        inside, below, outside = self.worker(self.group), self.worker((self.group / "deeper" / "still").make()), self.worker()
        below.run("/bin/sleep 1000 & child=$!")
        with self.systemd():
            target, _ = self.watch()
        row = self.daemon.targets()[target]
        tree = {int(process["pid"]) for process in self.daemon.tree(target).values()}
        self.assertEqual((0, UNIT, UNIT, "running", "dbus", 3, 3),
                         (row["pid"], row["name"], row["unit"], row["state"], row["source"], row["live"], row["adopted"]))
        self.assertEqual(3, len(tree))
        self.assertLess({inside.pid, below.pid}, tree)
        self.assertNotIn(outside.pid, tree)
        below.run("kill $child")

    def test_put_in(self):
        """units: a process that is put in is watched from then on, and so is what it runs"""
        self.systemd()
        target, stream = self.watch()
        worker = self.worker()
        worker.run()
        self.group.put(worker.pid)
        worker.run("/bin/echo inside >/dev/null")
        child = stream.wait_for(lambda e: e["type"] == "exec" and e["exec"]["argv"] == ["/bin/echo", "inside"], 20)
        self.assertEqual(target, child["target"]["id"])
        self.assertEqual((worker.pid, self.group.path), (child["process"]["ppid"], child["process"]["cgroup"]))
        self.ends(stream, target, worker)
        execs = [e["exec"]["argv"] for e in stream.of_type("exec")]
        self.assertNotIn(["/bin/true"], execs, "what it ran before it was put in is nobody's")
        wait_until(lambda: self.daemon.targets()[target]["live"] == 0, "nobody lives there")
        self.assertEqual("running", self.daemon.targets()[target]["state"])

    def test_born_inside(self):
        """units: a child that is born into the control group is watched from its first instruction, whoever its parent"""
        self.systemd()
        target, stream = self.watch()
        said = subprocess.run([program("born_in"), str(self.group.folder), "/bin/echo", "born"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        child = int(said.split("child ")[1])
        execed = self.events_of(stream, target, "exec", child)
        self.assertEqual(["/bin/echo", "born"], execed["exec"]["argv"])
        self.assertEqual(0, self.events_of(stream, target, "exit", child)["exit"]["code"])
        self.assertEqual(1, len(self.daemon.tree(target)))

    def test_started_again(self):
        """units: a unit that ends and is started again, in a new control group, is the same target and misses nothing"""
        self.systemd()
        first = self.worker(self.group)
        target, stream = self.watch()
        for time in range(5):
            self.ends(stream, target, first)
            self.slice.folder.joinpath(UNIT).rmdir()
            self.group.make()
            first = self.worker(self.group)
            first.run(f"/bin/echo {time} >/dev/null")
            stream.wait_for(lambda e, time=time: e["type"] == "exec" and e["exec"]["argv"] == ["/bin/echo", str(time)], 20)
        self.assertEqual([target], list(self.daemon.targets()))
        self.assertEqual([], [e for e in stream.events if kind_of_change(e) in ("exited", "removed")])
        self.assertEqual([], stream.of_type("loss"))

    def test_not_there_yet(self):
        """units: one that does not run is watched from its first process on, also where its slice is not made yet"""
        inner = f"{self.slice.path.lstrip('/').removesuffix('.slice')}-inner.slice"
        group = self.slice / inner / "_io.service"  # a name that systemd escapes
        manager = FakeSystemd(self.bus, {"io.service": group}, inner)
        self.addCleanup(manager.__exit__)
        target, stream = self.watch("io", name="later")
        self.assertEqual(("later", 0), (self.daemon.targets()[target]["name"], self.daemon.targets()[target]["live"]))
        group.make()
        worker = self.worker(group)
        worker.run("/bin/echo at last >/dev/null")
        child = stream.wait_for(lambda e: e["type"] == "exec" and e["exec"]["argv"] == ["/bin/echo", "at", "last"], 20)
        self.assertEqual(target, child["target"]["id"])

    def test_leavers(self):
        """units: who leaves the control group stays watched, with all it starts elsewhere"""
        self.systemd()
        target, stream = self.watch()
        worker = self.worker(self.group)
        elsewhere = (self.slice / "elsewhere.service").make()
        elsewhere.put(worker.pid)
        worker.run("/bin/echo left >/dev/null")
        child = stream.wait_for(lambda e: e["type"] == "exec" and e["exec"]["argv"] == ["/bin/echo", "left"], 20)
        self.assertEqual((target, elsewhere.path), (child["target"]["id"], child["process"]["cgroup"]))
        self.ends(stream, target, worker)

    def test_stop(self):
        """units: stopping lets everybody go, puts its programs to rest, and the same unit can be watched again"""
        def states():
            return {str(p[1]): str(p[2]) for p in self.daemon.property("ProbeStates") if str(p[1]) in ("aa_attach", "aa_mkdir")}

        self.systemd()
        worker = self.worker(self.group)
        self.assertEqual({"aa_attach": "standby", "aa_mkdir": "standby"}, states())
        target, _ = self.watch()
        self.assertEqual({"aa_attach": "attached", "aa_mkdir": "attached"}, states())
        self.daemon.stop_monitoring(target)
        self.assertEqual({}, self.daemon.targets())
        self.assertEqual({"aa_attach": "standby", "aa_mkdir": "standby"}, states())
        stream = self.daemon.subscribe()
        self.addCleanup(stream.close)
        worker.run("/bin/echo unseen >/dev/null")
        self.worker(self.group).run()
        again, _ = self.watch()
        self.assertEqual(target, again, "the same unit is the same target")
        worker.run("/bin/echo seen >/dev/null")
        stream.wait_for(lambda e: e["type"] == "exec" and e["exec"]["argv"] == ["/bin/echo", "seen"], 20)
        self.assertEqual([["/bin/echo", "seen"]], [e["exec"]["argv"] for e in stream.of_type("exec")])

    def test_twice(self):
        """units: asking twice is one target; a name without a type is a service's"""
        self.systemd()
        target, _ = self.watch()
        self.assertEqual(target, self.watch("agent")[0])
        self.assertEqual([target], list(self.daemon.targets()))
        self.assertEqual("NoSuchTarget", error_of(self.daemon.stop_monitoring, "0")[0], "a unit has no root pid")

    def test_nested(self):
        """units: a process that is a target of its own inside a unit comes back to the unit when it is released"""
        self.systemd()
        for unit_first in (True, False):
            with self.subTest(unit_first=unit_first):
                worker = self.worker(self.group)
                if unit_first:
                    target, stream = self.watch()
                inner = self.daemon.start(worker.pid)
                if not unit_first:
                    target, stream = self.watch()
                worker.run("/bin/echo inner >/dev/null")
                found = stream.wait_for(lambda e: e["type"] == "exec" and e["exec"]["argv"] == ["/bin/echo", "inner"], 20)
                self.assertEqual(inner, found["target"]["id"])
                self.daemon.stop_monitoring(inner)
                wait_until(lambda t=target: self.daemon.targets()[t]["live"] == 1, "it is the unit's again")
                worker.run("/bin/echo outer >/dev/null")
                found = stream.wait_for(lambda e: e["type"] == "exec" and e["exec"]["argv"] == ["/bin/echo", "outer"], 20)
                self.assertEqual(target, found["target"]["id"])
                self.ends(stream, target, worker)
                self.daemon.stop_monitoring(target)

    def test_slice(self):
        """units: of a slice and a service in it, a process belongs to the service's target, from when it is put there"""
        name = self.slice.path.lstrip("/")
        self.systemd(**{name: self.slice})
        outer, stream = self.watch(name)
        early = self.worker(self.group)
        wait_until(lambda: self.daemon.targets()[outer]["live"] == 1, "it is the slice's")
        inner, _ = self.watch()
        self.assertEqual((0, 1), (self.daemon.targets()[outer]["live"], self.daemon.targets()[inner]["live"]))
        late = self.worker((self.slice / "gate.scope").make())
        self.group.put(late.pid)
        late.run("/bin/echo late >/dev/null")
        found = stream.wait_for(lambda e: e["type"] == "exec" and e["exec"]["argv"] == ["/bin/echo", "late"], 20)
        self.assertEqual(inner, found["target"]["id"])
        wait_until(lambda: (self.daemon.targets()[outer]["live"], self.daemon.targets()[inner]["live"]) == (0, 2),
                   "both are the service's")
        self.daemon.stop_monitoring(inner)
        wait_until(lambda: self.daemon.targets()[outer]["live"] == 2, "both are the slice's")
        self.ends(stream, outer, early)
        self.ends(stream, outer, late)

    def test_lineage(self):
        """units: a process of a unit descends from who started it, up to process 1"""
        self.systemd()
        worker = self.worker(self.group)
        self.watch()
        rows = self.daemon.lineage.GetAncestry(dbus.UInt32(worker.pid), timeout=CALL_TIMEOUT)
        pids = [pid_of(str(row[0])) for row in rows]
        self.assertEqual([worker.pid, os.getpid()], pids[:2])
        self.assertEqual(1, pids[-1])
        explained = self.daemon.manager.Explain(dbus.UInt32(worker.pid), timeout=CALL_TIMEOUT)
        self.assertEqual(f"it belongs to {UNIT}, target {UNIT}", str(explained["reason"]))

    def test_refusals(self):
        """units: without systemd, or for a unit it does not have, the answer is a sentence, and nothing changes"""
        name, sentence = self.refused(UNIT)
        self.assertEqual("NotSupported", name)
        self.assertIn("systemd is not on this bus", sentence)
        self.systemd()
        self.assertEqual(("InvalidArgument", "systemd has no unit none.service to watch: it is not-found; systemctl "
                          "list-units shows those there are"), self.refused("none.service"))
        for bad in ("", "a b.service", "x" * 256, "multi-user.target", "getty@.service"):
            with self.subTest(unit=bad):
                name, sentence = self.refused(bad)
                self.assertEqual("InvalidArgument", name)
                self.assertRegex(sentence, "^the unit's name .*; give a unit that has processes")
        self.assertEqual({}, self.daemon.targets())
