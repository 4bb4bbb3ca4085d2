#!/usr/bin/python3
"""The real daemon on a private bus, spoken to by programs that are not ours: busctl, dbus-send, python3-dbus."""

import os
import pathlib
import re
import shutil
import subprocess
import threading
import unittest

import dbus

from harness import (CALL_TIMEOUT, ERROR, NAME, PATH, Daemon, PrivateBus, connect, daemon_path, end_at_exit, error_of,
                     kind_of_change, pidfd_open)

MANAGER = NAME + ".Manager"
LINEAGE = NAME + ".Lineage"
NOBODY = 65534
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root to load BPF programs and to own the bus name")
    if not daemon_path().exists():
        raise unittest.SkipTest(f"{daemon_path()} is not built")


class WithDaemon(unittest.TestCase):
    settings = {"families.file": "off", "families.tls": "off"}  # not asked about: in a guest each takes seconds

    @classmethod
    def setUpClass(cls):
        cls.bus = PrivateBus()
        cls.addClassCleanup(cls.bus.stop)
        cls.daemon = Daemon(cls.bus, settings=cls.settings)
        cls.addClassCleanup(cls.daemon.stop)

    def sleeper(self):
        """A process that lives until the test ends."""
        process = subprocess.Popen(["sleep", "600"])
        end_at_exit(process)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process.pid

    def watched(self, **options):
        pid = self.sleeper()
        target = self.daemon.start(pid, **options)
        self.addCleanup(lambda: target in self.daemon.targets() and self.daemon.stop_monitoring(target))
        return pid, target

    def run_tool(self, *command):
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=CALL_TIMEOUT)


class Busctl(WithDaemon):
    def call(self, interface, *words):
        if shutil.which("busctl") is None:
            self.skipTest("busctl is not installed")
        return self.run_tool("busctl", f"--address={self.bus.address}", "call", NAME, PATH, interface, *words)

    def answered(self, interface, *words):
        done = self.call(interface, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_start_ask_stop(self):
        """busctl: StartMonitoring, GetAncestry, ListTargets and StopMonitoring as README shows them"""
        pid = self.sleeper()
        target = self.answered(MANAGER, "StartMonitoring", "ua{sv}", str(pid), "0")
        self.assertRegex(target, f'^s "{UUID}"$')
        ancestry = self.answered(LINEAGE, "GetAncestry", "u", str(pid))
        self.assertRegex(ancestry, rf'^a\(sstuutssasi\) \d+ "{pid}-\d+" "{os.getpid()}-\d+"')
        targets = self.answered(MANAGER, "ListTargets")
        self.assertIn(f'{target[2:]} "sleep" {pid} "dbus" "running" 1', targets)
        self.assertEqual(self.answered(MANAGER, "StopMonitoring", "s", target[2:].strip('"')), "")
        self.assertEqual(self.answered(MANAGER, "ListTargets"), "a(ssussta{sv}) 0")

    def test_options(self):
        """busctl: options reach the daemon"""
        pid = self.sleeper()
        self.answered(MANAGER, "StartMonitoring", "ua{sv}", str(pid), "1", "name", "s", "by-busctl")
        self.answered(MANAGER, "StopMonitoring", "s", "by-busctl")

    def test_refusals_say_what_to_do(self):
        """busctl: a refusal exits with an error and prints its sentence"""
        done = self.call(LINEAGE, "GetProcess", "u", "4194304")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("StartMonitoring", done.stderr)

    def test_introspection(self):
        """busctl: introspection shows both interfaces"""
        if shutil.which("busctl") is None:
            self.skipTest("busctl is not installed")
        done = self.run_tool("busctl", f"--address={self.bus.address}", "introspect", NAME, PATH)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\.StartMonitoring +method +ua\{sv\} +s")
        self.assertRegex(done.stdout, r"\.ListProcesses +method +a\{sv\}su +aa\{sv\}s")
        self.assertRegex(done.stdout, r"\.Alert +signal +sssusa\{sv\}")


class ErrorNames(WithDaemon):
    def error(self, member, *arguments, interface=MANAGER, uid=0):
        done = self.run_tool(
            "setpriv", f"--reuid={uid}", "--clear-groups", "dbus-send", f"--bus={self.bus.address}", "--print-reply",
            f"--dest={NAME}", PATH, f"{interface}.{member}", *arguments)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return re.match(r"Error (\S+): ", done.stderr).group(1)

    def test_names(self):
        """dbus-send: refusals carry the names of the contract"""
        self.assertEqual(self.error("StopMonitoring", "string:nobody"), ERROR + "NoSuchTarget")
        self.assertEqual(self.error("GetProcess", "uint32:4194304", interface=LINEAGE), ERROR + "NoSuchProcess")
        self.assertEqual(self.error("GetProcess", "uint32:0", interface=LINEAGE), ERROR + "InvalidArgument")

    def test_signature(self):
        """dbus-send: a wrong signature and an unknown member are the bus's own errors"""
        self.assertEqual(self.error("StartMonitoring", "string:x"), "org.freedesktop.DBus.Error.InvalidArgs")
        self.assertEqual(self.error("StartMonitorin"), "org.freedesktop.DBus.Error.UnknownMethod")

    def test_other_user(self):
        """dbus-send: another user is refused by name, and reads properties"""
        self.assertEqual(self.error("ListTargets", uid=NOBODY), ERROR + "NotAuthorized")
        done = self.run_tool(
            "setpriv", f"--reuid={NOBODY}", "--clear-groups", "dbus-send", f"--bus={self.bus.address}", "--print-reply",
            f"--dest={NAME}", PATH, "org.freedesktop.DBus.Properties.Get", f"string:{MANAGER}", "string:Version")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_pids_that_are_no_processes(self):
        """python3-dbus: pid 0, the daemon itself, a kernel thread and a pid nobody has are refused by name"""
        self.assertEqual(error_of(self.daemon.start, 0)[0], "InvalidArgument")
        self.assertEqual(error_of(self.daemon.start, self.daemon.pid)[0], "InvalidArgument")
        self.assertEqual(error_of(self.daemon.start, 4194304)[0], "NoSuchProcess")
        if pathlib.Path("/proc/2/comm").exists():
            self.assertEqual(error_of(self.daemon.start, 2)[0], "InvalidArgument")
        self.assertEqual(self.daemon.targets(), {})

    def test_options(self):
        """python3-dbus: an unknown option and a name like a number are refused, and the sentence names the key"""
        pid = self.sleeper()
        name, sentence = error_of(self.daemon.start, pid, nmae="x")
        self.assertEqual(name, "InvalidArgument")
        self.assertIn("'nmae'", sentence)
        self.assertEqual(error_of(self.daemon.start, pid, name="123")[0], "InvalidArgument")

    def test_thread(self):
        """python3-dbus: a thread id is refused, and the sentence names its process"""
        done = threading.Event()
        thread = threading.Thread(target=done.wait)
        thread.start()
        try:
            name, sentence = error_of(self.daemon.start, thread.native_id)
        finally:
            done.set()
            thread.join()
        self.assertEqual(name, "InvalidArgument")
        self.assertIn(str(os.getpid()), sentence)


class Descriptors(WithDaemon):
    def test_pidfd(self):
        """python3-dbus: StartMonitoringPidfd watches the pidfd's process"""
        pid = self.sleeper()
        fd = pidfd_open(pid)
        target = self.daemon.start_pidfd(fd, name="by-pidfd")
        os.close(fd)
        self.assertEqual(self.daemon.targets()[target]["pid"], pid)
        self.daemon.stop_monitoring("by-pidfd")

    def test_pidfd_of_the_gone(self):
        """python3-dbus: a pidfd whose process is gone is NoSuchProcess, any other descriptor InvalidArgument"""
        process = subprocess.Popen(["true"])
        fd = pidfd_open(process.pid)
        process.wait()
        self.assertEqual(error_of(self.daemon.start_pidfd, fd)[0], "NoSuchProcess")
        os.close(fd)
        with open("/dev/null", "rb") as null:
            self.assertEqual(error_of(self.daemon.start_pidfd, null.fileno())[0], "InvalidArgument")

    def test_subscribe(self):
        """python3-dbus: Subscribe carries the chosen events of the chosen target from now on"""
        process = subprocess.Popen(["sh", "-c", "read -r line; /bin/true"], stdin=subprocess.PIPE)
        end_at_exit(process)
        target = self.daemon.start(process.pid, name="by-subscribe")
        stream = self.daemon.subscribe(target="by-subscribe", types=dbus.Array(["exec", "target"], signature="s"))
        process.communicate(b"go\n")
        events = stream.collect_until(lambda event: kind_of_change(event) == "exited", what="the end of the target")
        self.assertEqual({event["type"] for event in events}, {"exec", "target"})
        self.assertEqual({event["target"]["id"] for event in events}, {target})
        self.assertEqual([event["exec"]["argv"] for event in events if event["type"] == "exec"], [["/bin/true"]])
        self.daemon.stop_monitoring(target)

    def test_subscribe_filter(self):
        """python3-dbus: Subscribe refuses filters it does not understand"""
        types = dbus.Array(["exce"], signature="s")
        self.assertEqual(error_of(self.daemon.subscribe, types=types)[0], "InvalidArgument")
        self.assertEqual(error_of(self.daemon.subscribe, tpyes=types)[0], "InvalidArgument")
        self.assertEqual(error_of(self.daemon.subscribe, target="nobody")[0], "NoSuchTarget")


class Queries(WithDaemon):
    settings = {}

    def test_lineage(self):
        """python3-dbus: the lineage of a watched process, by every method"""
        pid, target = self.watched(name="asked")
        me = os.getpid()
        process = self.daemon.lineage.GetProcess(dbus.UInt32(pid), timeout=CALL_TIMEOUT)
        self.assertEqual([str(word) for word in process["argv"]], ["sleep", "600"])
        self.assertEqual(str(process["target"]), target)
        self.assertEqual(int(process["exit"]), -1)
        self.assertEqual(str(process["cwd"]), os.getcwd())
        rows = self.daemon.lineage.GetAncestry(dbus.UInt32(pid), timeout=CALL_TIMEOUT)
        self.assertEqual([int(row[3]) for row in rows][:2], [pid, me])
        for ancestor, expected in ((pid, True), (me, True)):
            self.assertEqual(bool(self.daemon.lineage.IsDescendantOf(dbus.UInt32(pid), dbus.UInt32(ancestor))), expected)
        self.assertFalse(self.daemon.lineage.IsDescendantOf(dbus.UInt32(me), dbus.UInt32(pid)))
        self.assertIn(pid, [int(row[3]) for row in self.daemon.lineage.GetDescendants(dbus.UInt32(me), dbus.UInt32(1))])
        self.assertEqual([int(row["pid"]) for row in self.daemon.tree(target).values()], [pid])
        self.assertEqual([int(row["pid"]) for row in self.daemon.processes(target="asked")], [pid])

    def test_properties(self):
        """python3-dbus: the properties have their types and sane values"""
        proxy = connect(self.bus.address).get_object(NAME, PATH, introspect=False)
        values = proxy.GetAll(MANAGER, dbus_interface=dbus.PROPERTIES_IFACE, timeout=CALL_TIMEOUT)
        self.assertEqual({str(name) for name in values}, {"Version", "ProbeStates", "Counters", "PathFilterGeneration",
                                                          "ConfigFile", "EventsFile", "BootTime",
                                                          "AwaitingRestart"})
        self.assertRegex(str(values["Version"]), r"^\d+\.\d+\.\d+")
        self.assertEqual(int(values["PathFilterGeneration"]), 1)  # the configured layer is in force
        self.assertTrue(values["ProbeStates"])
        self.assertGreater(int(values["BootTime"]), 1_500_000_000 * 10**9)


if __name__ == "__main__":
    unittest.main()
