"""TLS: a process that maps a library nobody knows is held until it is listened to, and never longer than it should."""

import os
import pathlib
import select
import shutil
import signal
import subprocess
import unittest

from harness import PATIENCE, Daemon, program, wait_until, watch
from kernel_case import QUICK, OwnDaemonCase
from tls_case import TlsCase, library_called

PYTHON = "/usr/bin/python3"
CALLS = pathlib.Path(__file__).resolve().parents[1] / "programs/openssl_calls.py"
LIBRARIES = 3 if QUICK else 20
FOREVER = 10_000  # ms: longer than a test waits for anything
SOON = FOREVER / 1000 / 2


def states_of(pid):
    """The letters of proc_pid_stat(5), one for each thread."""
    letters = set()
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        letters.add(stat.read_text().rpartition(")")[2].split()[0])
    return letters


def stands_still(pid):
    return states_of(pid) == {"T"}


def guard_of(daemon):
    children = pathlib.Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    [guard] = [int(pid) for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text() == "aa-hold-guard\n"]
    return guard


class Held(TlsCase):
    settings = {"tls.call_kib": 2048, "tls.hold_new_library": "on", "tls.hold_ms": int(min(FOREVER, 2000 * PATIENCE))}

    def test_loaded(self):
        """hold: of a private copy of libssl that a watched program loads, every byte is there from the first on"""
        for number in range(LIBRARIES):
            folder = self.copy_of_libssl(str(number))
            account = self.talk(PYTHON, CALLS, self.server.port, "plain", self.folder, deadline=60,
                                env={**os.environ, "LD_LIBRARY_PATH": str(folder)})
            self.assert_exact(account, 1)
        self.assertEqual(0, self.daemon.counters()["tls.hold-missed"])

    def test_started(self):
        """hold: the same of a program that is linked with it, which speaks at once"""
        folder = self.copy_of_libssl("linked")
        account = self.talk(self.needs("/usr/bin/curl"), "-sk", self.server.url(1 << 20),
                            env={**os.environ, "LD_LIBRARY_PATH": str(folder)})
        self.assert_exact(account, 1)

    def test_known(self):
        """hold: nobody is held twice for one file"""
        self.watched("tiny")
        before = self.daemon.counters()["tls.held"]
        self.watched("tiny")
        self.assertEqual(before, self.daemon.counters()["tls.held"])

    def test_parent_stops_too(self):
        """hold: a program whose parent stops itself whenever its child is stopped, as su does, goes on, and so does the parent"""
        for turn in range(LIBRARIES):
            copy = self.folder / f"true-{turn}"
            shutil.copy("/bin/true", copy)
            before = self.daemon.counters()["tls.held"]
            self.watched_path("/bin/su", "-s", "/bin/sh", "-c", str(copy), "root", deadline=20 * PATIENCE)
            self.assertEqual(0, self.last.status)
            self.assertGreater(self.daemon.counters()["tls.held"], before)

    def test_many_threads(self):
        """hold: many threads that map new files at once are held and go on, again and again"""
        for turn in range(LIBRARIES):
            files = [self.folder / f"{turn}-{number}" for number in range(16)]
            for file in files:
                file.write_bytes(b"no library")
            client = subprocess.Popen([program("map_files"), *files], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.addCleanup(client.stdout.close)
            client.stdout.readline()
            self.daemon.start(client.pid)
            said, _ = client.communicate(b"go", 20 * PATIENCE)
            self.assertEqual((b"mapped 16\n", 0), (said, client.returncode))


class Kept(OwnDaemonCase):
    """Each test has a daemon of its own, which does not get to let anybody go."""

    def hold_one(self, hold_ms=FOREVER):
        """A program that stands still, and the daemon that does too."""
        self.daemon = Daemon(self.bus, settings={"families.file": "off", "tls.hold_new_library": "on", "tls.hold_ms": hold_ms})
        self.addCleanup(self.daemon.kill)
        file = self.folder / "library"
        shutil.copy(library_called("libssl.so.3"), file)
        client = subprocess.Popen([program("map_files"), file], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.stdin.close)
        client.stdout.readline()
        self.stream = self.daemon.subscribe(types=["loss", "probe"])
        self.daemon.start(client.pid)
        self.guard = guard_of(self.daemon)
        os.kill(self.daemon.pid, signal.SIGSTOP)
        client.stdin.write(b"g")
        client.stdin.flush()
        wait_until(lambda: stands_still(client.pid), "the program stands still", SOON)
        return client

    def assert_goes_on(self, client):
        wait_until(lambda: select.select([client.stdout], [], [], 0)[0], "the program goes on", SOON)
        self.assertEqual(b"mapped 1\n", client.stdout.readline())

    def wait_for_misses(self):
        wait_until(lambda: self.daemon.counters()["tls.hold-missed"], "the daemon has seen that it was too slow")
        self.stream.wait_for(lambda event: event["type"] == "loss" and event["loss"]["cause"] == "late-attach", 10)

    def test_limit(self):
        """hold: whoever is held for too long goes on, whatever the daemon is doing; it says then what may be missing"""
        client = self.hold_one(500)
        self.assert_goes_on(client)
        os.kill(self.daemon.pid, signal.SIGCONT)
        self.wait_for_misses()

    def test_killed(self):
        """hold: SIGKILL of the daemon lets those go on who are held"""
        client = self.hold_one()
        self.daemon.process.kill()
        self.assert_goes_on(client)
        wait_until(lambda: not pathlib.Path(f"/proc/{self.guard}").exists(), "its guard has ended")

    def test_stopped(self):
        """hold: so does its normal end"""
        client = self.hold_one()
        os.kill(self.daemon.pid, signal.SIGTERM)
        os.kill(self.daemon.pid, signal.SIGCONT)
        self.assert_goes_on(client)
        self.daemon.stop()
        self.assertFalse(pathlib.Path(f"/proc/{self.guard}").exists())

    def test_somebody_elses(self):
        """hold: who was stopped by somebody else meanwhile stays stopped, until they let it go on"""
        client = self.hold_one(500)
        os.kill(client.pid, signal.SIGSTOP)
        os.kill(self.daemon.pid, signal.SIGCONT)
        wait_until(lambda: self.daemon.counters()["tls.held"], "the daemon has let it go")
        self.assertEqual({"T"}, states_of(client.pid))
        os.kill(client.pid, signal.SIGCONT)
        self.assert_goes_on(client)

    def test_guard_killed(self):
        """hold: when its guard is killed, the daemon lets all go on, says so, and holds nobody any more"""
        client = self.hold_one()
        os.kill(self.guard, signal.SIGKILL)
        os.kill(self.daemon.pid, signal.SIGCONT)
        self.assert_goes_on(client)
        self.stream.wait_for(lambda event: event["type"] == "probe" and event["probe"]["program"] == "aa_hold"
                             and event["probe"]["state"] == "failed", 10)

    def test_died(self):
        """hold: who is killed while it is held is dead, and forgotten"""
        client = self.hold_one()
        client.kill()
        client.wait()
        os.kill(self.daemon.pid, signal.SIGCONT)
        wait_until(lambda: self.daemon.counters()["tls.held"], "the daemon has seen to it")

    def test_traced(self):
        """hold: a program with a tracer is not held: the tracer would see a stop of which it knows nothing"""
        if not os.access("/usr/bin/strace", os.X_OK):
            self.skipTest("there is no /usr/bin/strace")
        self.daemon = Daemon(self.bus, settings={"families.file": "off", "tls.hold_new_library": "on", "tls.hold_ms": FOREVER})
        self.addCleanup(self.daemon.kill)
        log = self.folder / "log"
        with watch(self.daemon, ["/usr/bin/strace", "-f", "-o", str(log), program("tiny")]) as client:
            client.run()
        self.assertNotIn("SIGSTOP", log.read_text())
        counters = self.daemon.counters()
        self.assertGreater(counters["tls.held"], 0)  # it was seen to, and left alone
        self.assertGreater(counters["tls.hold-missed"], 0)


del TlsCase

if __name__ == "__main__":
    unittest.main()
