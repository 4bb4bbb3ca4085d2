"""Bad input: a named error, a sentence that says what to do, and nothing changed."""

import os
import pathlib
import socket
import subprocess
import textwrap
import unittest

import dbus
from harness import NAME, PATH, error_of, pidfd_open, program, wait_until
from kernel_case import KernelCase

NOBODY = 65534
FREE_PID = 4_000_000  # above any pid the kernel gives out

AS_NOBODY = """
    import os, sys, dbus, dbus.bus
    os.setgroups([]); os.setgid({id}); os.setuid({id})
    bus = dbus.bus.BusConnection(sys.argv[1])
    proxy = bus.get_object("{name}", "{path}", introspect=False)
    method, signature, arguments = sys.argv[2], sys.argv[3], eval(sys.argv[4])
    try:
        print("answered", proxy.get_dbus_method(method, "{name}." + sys.argv[5])(*arguments, signature=signature))
    except dbus.DBusException as error:
        print(error.get_dbus_name())
"""


def kernel_thread():
    """Some kernel thread's pid, None where none is visible."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[6]) & 0x00200000:  # PF_KTHREAD
                return int(entry.name)
    return None


class BadInput(KernelCase):
    def setUp(self):
        super().setUp()
        self.before = self.daemon.targets()

    def refused(self, error, call, *args, **options):
        """It answers the named error, says a sentence, and changes nothing. Returns the sentence."""
        got, sentence = error_of(call, *args, **options)
        self.assertEqual(error, got, sentence)
        self.assertGreater(len(sentence), 15, "no sentence")
        self.assertNotIn("\n", sentence)
        self.assertEqual(self.before, self.daemon.targets(), "a refused call changed something")
        return sentence

    def program(self, name, *args):
        process = subprocess.Popen([program(name), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def end():
            process.stdin.close()
            process.stdout.close()
            process.wait(10)

        self.addCleanup(end)
        return process

    def test_no_such_pid(self):
        """bad input: a pid that nobody has is NoSuchProcess"""
        self.assertIn(str(FREE_PID), self.refused("NoSuchProcess", self.daemon.start, FREE_PID))

    def test_gone_pid(self):
        """bad input: a pid whose process has just gone is NoSuchProcess"""
        process = subprocess.Popen([program("tiny")])
        process.wait()
        self.refused("NoSuchProcess", self.daemon.start, process.pid)

    def test_zombie(self):
        """bad input: a process that has ended and waits to be reaped is NoSuchProcess"""
        line = self.program("zombie").stdout.readline().split()
        self.refused("NoSuchProcess", self.daemon.start, int(line[1]))

    def test_thread(self):
        """bad input: a thread's id is InvalidArgument, naming its process"""
        _, pid, thread = self.program("threads_hold").stdout.readline().split()
        self.assertIn(pid.decode(), self.refused("InvalidArgument", self.daemon.start, int(thread)))

    def test_daemon_itself(self):
        """bad input: the daemon does not watch itself"""
        self.refused("InvalidArgument", self.daemon.start, self.daemon.pid)

    def test_pid_zero(self):
        """bad input: pid 0 is InvalidArgument"""
        self.refused("InvalidArgument", self.daemon.start, 0)

    def test_largest_pid(self):
        """bad input: the largest number that fits is no process"""
        self.refused("NoSuchProcess", self.daemon.start, 0xFFFFFFFF)

    def test_kernel_thread(self):
        """bad input: a kernel thread is InvalidArgument"""
        pid = kernel_thread()
        if pid is None:
            self.skipTest("no kernel thread is visible here")
        self.refused("InvalidArgument", self.daemon.start, pid)

    def test_not_a_pidfd(self):
        """bad input: a pipe, a file and a socket are no pidfd"""
        read_end, write_end = os.pipe()
        left, right = socket.socketpair()
        with open("/dev/null", "rb") as null, left, right:
            for fd in (read_end, null.fileno(), left.fileno()):
                self.refused("InvalidArgument", self.daemon.start_pidfd, fd)
        os.close(read_end)
        os.close(write_end)

    def test_pidfd_of_the_gone(self):
        """bad input: a pidfd whose process is gone is NoSuchProcess"""
        process = subprocess.Popen([program("tiny")])
        fd = pidfd_open(process.pid)
        process.wait()
        try:
            self.refused("NoSuchProcess", self.daemon.start_pidfd, fd)
        finally:
            os.close(fd)

    def test_pidfd_of_the_daemon(self):
        """bad input: by pidfd, too, the daemon does not watch itself"""
        fd = pidfd_open(self.daemon.pid)
        try:
            self.refused("InvalidArgument", self.daemon.start_pidfd, fd)
        finally:
            os.close(fd)

    def test_descriptors_do_not_leak(self):
        """bad input: a thousand refused calls leave the daemon no descriptor"""
        def count():
            return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

        self.refused("NoSuchProcess", self.daemon.start, FREE_PID)
        before = count()
        with open("/dev/null", "rb") as null:
            for _ in range(500):
                error_of(self.daemon.start_pidfd, null.fileno())
                error_of(self.daemon.start, FREE_PID)
        wait_until(lambda: count() <= before, f"no more than {before} descriptors")

    def test_unknown_option(self):
        """bad input: an unknown option key is named"""
        held = self.program("hold")
        self.assertIn("nmae", self.refused("InvalidArgument", self.daemon.start, held.pid, nmae="x"))

    def test_wrong_option_type(self):
        """bad input: an option of another type is named"""
        held = self.program("hold")
        self.assertIn("name", self.refused("InvalidArgument", self.daemon.start, held.pid, name=dbus.UInt32(5)))

    def test_bad_names(self):
        """bad input: a name that is empty, all digits, shaped like an id, too long or not printable is refused"""
        held = self.program("hold")
        for name in ("", "1234", "6f0c0000-0000-5000-8000-000000000000", "x" * 129, "two\nlines", "\x1b[31m"):
            with self.subTest(name=name):
                self.refused("InvalidArgument", self.daemon.start, held.pid, name=name)

    def test_bad_tls_level(self):
        """bad input: a TLS level that does not exist is refused with those that do"""
        held = self.program("hold")
        self.assertIn("redacted", self.refused("InvalidArgument", self.daemon.start, held.pid, tls="everything"))

    def test_wrong_signature(self):
        """bad input: arguments of another signature are an error of the bus, not a crash"""
        proxy = self.daemon.connection.get_object(NAME, PATH, introspect=False)
        call = proxy.get_dbus_method("StartMonitoring", NAME + ".Manager")
        for arguments, signature in ((("text",), "s"), ((), ""), ((dbus.UInt64(1), dbus.Dictionary({}, signature="sv")), "ta{sv}")):
            with self.subTest(signature=signature):
                name, _ = error_of(call, *arguments, signature=signature)
                self.assertEqual("org.freedesktop.DBus.Error.InvalidArgs", name)
        self.assertEqual(self.before, self.daemon.targets())

    def test_no_such_member(self):
        """bad input: a method that does not exist is UnknownMethod"""
        proxy = self.daemon.connection.get_object(NAME, PATH, introspect=False)
        name, _ = error_of(proxy.get_dbus_method("StartWatching", NAME + ".Manager"), dbus.UInt32(1))
        self.assertEqual("org.freedesktop.DBus.Error.UnknownMethod", name)

    def test_no_such_target(self):
        """bad input: stopping what is not watched is NoSuchTarget"""
        for target in ("6f0c0000-0000-5000-8000-000000000000", "nobody has this name", str(FREE_PID), ""):
            with self.subTest(target=target):
                self.refused("NoSuchTarget", self.daemon.stop_monitoring, target)

    def test_ambiguous_name(self):
        """bad input: a name that two targets have stops neither"""
        for process in (self.program("hold"), self.program("hold")):
            target = self.daemon.start(process.pid, name="twins")
            self.addCleanup(self.daemon.stop_monitoring, target)
        self.before = self.daemon.targets()
        self.refused("InvalidArgument", self.daemon.stop_monitoring, "twins")

    def test_bad_subscriptions(self):
        """bad input: a filter with an unknown key, type or severity is refused"""
        for selector, word in (({"typse": ["exec"]}, "typse"), ({"types": ["exce"]}, "exce"),
                               ({"min_severity": "loud"}, "min_severity")):
            with self.subTest(selector=selector):
                self.assertIn(word, self.refused("InvalidArgument", self.daemon.subscribe, **selector))
        self.refused("NoSuchTarget", self.daemon.subscribe, target="6f0c0000-0000-5000-8000-000000000000")

    def test_too_many_readers(self):
        """bad input: a reader beyond the 256th is LimitReached, and there is room again when one goes"""
        streams = [self.stream() for _ in range(256)]
        self.addCleanup(lambda: [os.close(fd) for fd in streams])
        self.refused("LimitReached", self.stream)
        os.close(streams.pop())
        streams.append(self.stream_when_there_is_room())

    def stream(self):
        return self.daemon.manager.Subscribe(dbus.Dictionary({}, signature="sv")).take()

    def stream_when_there_is_room(self):
        """A reader's end shows at the latest with the next event; here the daemon hears of it at once."""
        found = []

        def try_it():
            try:
                found.append(self.stream())
            except dbus.DBusException:
                return False
            return True

        wait_until(try_it, "room for one more")
        return found[0]

    def test_nobody(self):
        """bad input: a caller who is not root is NotAuthorized, whatever he asks; properties are for everybody"""
        calls = [("StartMonitoring", "ua{sv}", "(1, {})", "Manager"), ("StopMonitoring", "s", "('x',)", "Manager"),
                 ("ListTargets", "", "()", "Manager"), ("Subscribe", "a{sv}", "({},)", "Manager"),
                 ("GetProcess", "u", "(1,)", "Lineage"), ("GetTree", "s", "('x',)", "Lineage"),
                 ("ListProcesses", "a{sv}su", "({}, '', 0)", "Lineage")]
        for method, signature, arguments, interface in calls:
            with self.subTest(method=method):
                self.assertEqual(f"{NAME}.Error.NotAuthorized",
                                 self.as_nobody(method, signature, arguments, interface))
        self.assertEqual(self.before, self.daemon.targets())

    def as_nobody(self, method, signature, arguments, interface):
        script = textwrap.dedent(AS_NOBODY.format(id=NOBODY, name=NAME, path=PATH))
        done = subprocess.run(["/usr/bin/python3", "-c", script, self.bus.address, method, signature, arguments, interface],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout.strip()


if __name__ == "__main__":
    unittest.main()
