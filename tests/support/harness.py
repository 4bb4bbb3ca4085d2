"""The daemon under test: started on a private bus, asked over D-Bus, watched through a subscriber, stopped cleanly.

    with PrivateBus() as bus, Daemon(bus) as daemon, watch(daemon, [program("tiny")]) as watched:
        events = watched.run()        # everything from its first instruction until its tree is gone

Every wait has a deadline; nothing sleeps as synchronisation; no child outlives the interpreter.
"""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import weakref

import dbus
import dbus.bus
import dbus.lowlevel

from deadline import PATIENCE, Deadline, end_at_exit, wait_until
from event_stream import EventStream, adopted_by, exact, kind_of_change
from paths import ROOT, aactl_path, build_dir, daemon_path, program
from private_bus import PrivateBus

__all__ = ["Daemon", "Deadline", "EventStream", "PrivateBus", "NAME", "PATH", "PATIENCE", "ROOT", "Watched", "aactl_path", "adopted_by", "build_dir",
           "connect", "daemon_path", "error_of", "exact", "kind_of_change", "pidfd_open", "process_id", "program",
           "wait_until", "watch"]

NAME = "org.agentassembly.Ebpfd1"
PATH = "/org/agentassembly/Ebpfd1"
ERROR = NAME + ".Error."
CALL_TIMEOUT = 25 * PATIENCE  # seconds
CLOCK_BOOTTIME = 7


def connect(address):
    """A fresh connection, with a unique name of its own."""
    return dbus.bus.BusConnection(address)


def error_of(call, /, *args, **kwargs):
    """The name, without the project's prefix, and the sentence of the D-Bus error that a call is answered with."""
    try:
        answer = call(*args, **kwargs)
    except dbus.DBusException as error:
        return error.get_dbus_name().removeprefix(ERROR), error.get_dbus_message() or ""
    raise AssertionError(f"expected an error, was answered {answer!r}")


def kernel_since(major, minor):
    """Whether this kernel is that one or a later one."""
    return tuple(map(int, os.uname().release.split(".")[:2])) >= (major, minor)


def pidfd_open(pid):
    return os.pidfd_open(pid)


def process_id(pid):
    """(pid, start in clock ticks): what /proc knows of a process; None when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return pid, int(fields[19])


FILE_HOOKS = ("fentry", "kprobe", "tracepoint")


def forced_hooks():
    """Every test with one hook set: how suites.py runs SUITE:HOOKS."""
    hooks = os.environ.get("AA_HOOKS")
    return {"file.hooks" if hooks in FILE_HOOKS else "lifecycle.hooks": hooks} if hooks else {}


class Daemon:
    """aa-ebpfd, READY. `options` go to its command line; `settings` become --set KEY=VALUE; when `deaf`, nobody reads what
    it tells its service manager once it is ready."""

    def __init__(self, bus, *options, settings=None, env=None, ready_within=20, deaf=False):
        self.bus = bus
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="aa-daemon-"))
        self.stderr = self.folder / "stderr"
        self.stdout = self.folder / "stdout"
        self.status = []  # STATUS lines, in order
        self.notified = []  # every other assignment
        self._ready = threading.Event()
        self._streams = weakref.WeakSet()  # one that nobody has any more, with all it read, is not kept
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._notify.bind(str(self.folder / "notify"))
        command = [str(daemon_path()), "--bus", bus.address, *options]
        for key, value in {**forced_hooks(), **(settings or {})}.items():
            command += ["--set", f"{key}={value}"]
        self.command = command
        self._deaf = deaf
        if not deaf:
            threading.Thread(target=self._take_notifications, daemon=True).start()
        self.started_at = time.monotonic()
        with self.stderr.open("wb") as err, self.stdout.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify"), **(env or {})})
        end_at_exit(self.process, self.folder)
        self.pid = self.process.pid
        try:
            self._wait_until_ready(ready_within)
            self.connection = connect(bus.address)
            self._proxy = self.connection.get_object(NAME, PATH, introspect=False)
            self.manager = dbus.Interface(self._proxy, NAME + ".Manager")
            self.lineage = dbus.Interface(self._proxy, NAME + ".Lineage")
        except BaseException:
            self.kill()
            raise

    # -- its life ------------------------------------------------------------------------------------------------------

    def _wait_until_ready(self, seconds):
        deadline = Deadline(seconds, f"READY=1 from {' '.join(self.command)}")
        while not self._heard_ready(0.05):
            if self.process.poll() is not None:
                raise RuntimeError(f"the daemon ended with {self.process.returncode} before READY:\n{self.errors()}")
            if deadline.left() == 0:
                deadline.check(self.errors())
        self.ready_after = time.monotonic() - self.started_at

    def _heard_ready(self, seconds):
        """Waits rather than asks: whoever asks often takes the daemon's time where processors are few and slow."""
        if not self._deaf:
            return self._ready.wait(seconds)
        heard = select.select([self._notify], [], [], seconds)[0]
        return bool(heard) and b"READY=1" in self._notify.recv(65536)

    def _take_notifications(self):
        """A service manager that reads: else the socket is full after a few messages."""
        while True:
            try:
                message = self._notify.recv(65536)
            except OSError:
                return
            if not message:
                return
            for line in message.decode().splitlines():
                if line.startswith("STATUS="):
                    self.status.append(line.removeprefix("STATUS="))
                else:
                    self.notified.append(line)
            if "READY=1" in self.notified:
                self._ready.set()

    def errors(self):
        return self.stderr.read_text(errors="replace")[-8000:]

    def stop(self, within=20):
        """SIGTERM, and it must end by itself with exit status 0."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(within * PATIENCE)
        except subprocess.TimeoutExpired:
            errors = self.errors()
            self.kill()
            raise AssertionError(f"the daemon did not stop within {within} s of SIGTERM:\n{errors}") from None
        errors = self.errors()
        self._clean()
        if status != 0:
            raise AssertionError(f"the daemon ended with {status}:\n{errors}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._clean()

    def _clean(self):
        if self._notify.fileno() < 0:
            return
        for stream in list(self._streams):
            stream.close()
        self._notify.shutdown(socket.SHUT_RDWR)  # wakes its reader
        self._notify.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
            return
        print(f"---- the daemon's stderr:\n{self.errors()}----", flush=True)
        self.kill()

    # -- the bus -------------------------------------------------------------------------------------------------------

    def start(self, pid, **options):
        """StartMonitoring; returns the target's id."""
        return str(self.manager.StartMonitoring(dbus.UInt32(pid), dbus.Dictionary(options, signature="sv"),
                                                timeout=CALL_TIMEOUT))

    def start_pidfd(self, pidfd, **options):
        return str(self.manager.StartMonitoringPidfd(dbus.types.UnixFd(pidfd),
                                                     dbus.Dictionary(options, signature="sv"), timeout=CALL_TIMEOUT))

    def stop_monitoring(self, target):
        self.manager.StopMonitoring(str(target), timeout=CALL_TIMEOUT)

    def property(self, name):
        return self._proxy.Get(NAME + ".Manager", name, dbus_interface=dbus.PROPERTIES_IFACE, timeout=CALL_TIMEOUT)

    def counters(self):
        return {str(key): int(value) for key, value in self.property("Counters").items()}

    def targets(self):
        """{id: {name, pid, source, state, live, …more}} as ListTargets says."""
        rows = self.manager.ListTargets(timeout=CALL_TIMEOUT)
        return {str(r[0]): {"name": str(r[1]), "pid": int(r[2]), "source": str(r[3]), "state": str(r[4]),
                            "live": int(r[5]), **r[6]} for r in rows}

    def tree(self, target):
        """GetTree as {pid-start: row}; a row has the contract's member names."""
        names = ("id", "parent_id", "start_ns", "pid", "uid", "exec_ns", "exe", "cwd", "argv", "exit")
        rows = self.lineage.GetTree(str(target), timeout=CALL_TIMEOUT)
        return {str(row[0]): dict(zip(names, row)) for row in rows}

    def processes(self, **selector):
        """All pages of ListProcesses."""
        rows, cursor = [], ""
        while True:
            page, cursor = self.lineage.ListProcesses(dbus.Dictionary(selector, signature="sv"), cursor,
                                                      dbus.UInt32(0), timeout=CALL_TIMEOUT)
            rows += page
            if not cursor:
                return rows

    def subscribe(self, **selector):
        """Events from now on; `target`, `types`, `min_severity` as the contract says."""
        fd = self.manager.Subscribe(dbus.Dictionary(selector, signature="sv"), timeout=CALL_TIMEOUT).take()
        stream = EventStream(fd)
        self._streams.add(stream)
        return stream


class Watched:
    """A program held before its first instruction (tests/programs/gate), watched, then let go."""

    def __init__(self, daemon, argv, *, pidfd=False, options=None, selector=None, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL, **popen):
        self.daemon = daemon
        hold, self._release = os.pipe()
        try:
            self.process = subprocess.Popen([program("gate"), str(hold), *argv], pass_fds=[hold], stdin=stdin,
                                            stdout=stdout, stderr=stderr, **popen)
        finally:
            os.close(hold)
        end_at_exit(self.process)
        self.pid = self.process.pid
        self.start_ticks = process_id(self.pid)[1]
        self.stream = daemon.subscribe(**(selector or {}))
        try:
            if pidfd:
                fd = os.pidfd_open(self.pid)
                self.target = daemon.start_pidfd(fd, **(options or {}))
                os.close(fd)
            else:
                self.target = daemon.start(self.pid, **(options or {}))
        except BaseException:
            self.close()
            raise

    def go(self):
        """Lets the program start; does not wait."""
        os.write(self._release, b"g")

    def run(self, deadline=20):
        """Lets the program start and returns its events, up to the one that says its whole tree is gone."""
        self.go()
        return self.finish(deadline)

    def finish(self, deadline=20):
        def gone(event):
            return event.get("target", {}).get("id") == self.target and kind_of_change(event) == "exited"

        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(deadline * PATIENCE)  # who looked at its events meanwhile would hold up their reader
        events = self.stream.collect_until(gone, deadline, f"the end of the target of pid {self.pid}")
        self.status = self.process.wait(deadline * PATIENCE)
        missed = [e["loss"]["count"] for e in events if e["type"] == "loss" and e["loss"]["family"] == "subscriber"]
        assert not missed, f"this test reads too slowly: {missed} events were not told to it"
        return [e for e in events if e.get("target", {}).get("id") == self.target]

    def close(self):
        self.stream.close()
        with contextlib.suppress(OSError):
            os.close(self._release)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def watch(daemon, argv, **options):
    return Watched(daemon, argv, **options)
