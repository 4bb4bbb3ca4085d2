"""TLS: listening hurts nobody: programs that may do nearly nothing, sandboxes, and a daemon that dies in the middle of a call."""

import subprocess
import unittest

from harness import Daemon, PrivateBus, aactl_path, program, watch
from kernel_case import QUICK
from test_tls_sealed import WARM, Sealed
from tls_case import TlsCase, streams_of
from tls_server import CERTIFICATE

PYTHON = "/usr/bin/python3"
SMALL = 100 if QUICK else 1000  # calls of a few bytes

# Every answer is compared with what the server always answers.
CAREFUL_CLIENT = """
import http.client, random, ssl, sys
port, small = map(int, sys.argv[1:3])
link = http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context())
link.request("GET", "/after-2")
assert link.getresponse().read() == b"ok"
for size in range(1, small + 1):
    link.request("GET", f"/{size}")
    assert link.getresponse().read() == random.Random(size).randbytes(size), size
link.close()
"""

# Says what it was told, head and body, and ends with a status of its own.
TELLING_CLIENT = """
import hashlib, http.client, random, ssl, sys
port, small, big = map(int, sys.argv[1:4])
link = http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context())
whole = hashlib.sha256()
def ask(method, path, body=None):
    link.request(method, path, body)
    answer = link.getresponse()
    told = answer.read()
    whole.update(repr((answer.status, answer.getheaders())).encode() + told)
    print(path, len(told), whole.hexdigest())
for size in range(1, small + 1): ask("GET", f"/{size}")
ask("PUT", "/", random.Random(1).randbytes(big))
ask("GET", f"/{big}")
link.close()
sys.exit(3)
"""


def functions_with_places(reason):
    """Of which functions the reason of a library's state says where they are listened to: `entry + returns: SSL_read, SSL_write; …`."""
    groups = [part.partition(": ") for part in reason.split("; ")]
    return {name for places, _, names in groups if " + " in places for name in names.split(", ")}


class Programs(TlsCase):
    settings = {"tls.call_kib": 2048}

    def test_coroutines(self):
        """tls: a program whose calls do not end in the order of one stack survives, watched or not, and is exact"""
        command = [program("coroutine_tls"), CERTIFICATE]
        self.assertEqual(0, subprocess.run(command, stdout=subprocess.DEVNULL).returncode, "unwatched, it fails")
        account, said = self.watched("coroutine_tls", CERTIFICATE, options={"tls": "full"})
        self.assertEqual((0, "ok\n"), (self.last.status, said), "watched, it fails")
        words = [b"".join(b"coroutine %d says %d\n" % (which, i) for i in range(5)) for which in range(2)]
        streams = streams_of(account).values()
        self.assertEqual(words, sorted(stream["send"] for stream in streams if stream["send"]))
        self.assertEqual(words, sorted(stream["recv"] for stream in streams if stream["recv"]))

    def test_same_results(self):
        """tls: a program says, ends with and sends the same, byte for byte, whether it is watched or not"""
        script = self.folder / "client.py"
        script.write_text(TELLING_CLIENT)
        command = [PYTHON, script, self.server.port, SMALL, 1 << 20]
        alone = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        said = self.server.take(1)
        account, told = self.watched_path(*command, options={"tls": "full"})
        self.assertTrue(account.of_type("tls"))
        self.assertEqual((3, SMALL + 2), (alone.returncode, len(alone.stdout.splitlines())))
        self.assertEqual((alone.returncode, alone.stdout), (self.last.status, told))
        self.assertTrue(said == self.server.take(1), "another conversation, as the server has it")

    def test_places(self):
        """tls: unless tls.return_probes is set no function has one, and the state of each library says what it has instead"""
        reasons = {str(row[1]): str(row[4]) for row in self.daemon.property("ProbeStates") if str(row[0]) == "tls"}
        self.assertTrue(any("SSL_write" in reason for reason in reasons.values()), reasons)
        for name, reason in reasons.items():
            self.assertNotIn("return probe", reason, name)

    def test_chosen(self):
        """tls: where SSL_read and SSL_write are listened to is named for each of them, in ProbeStates and by aactl doctor"""
        done = subprocess.run([aactl_path(), "--bus", self.bus.address, "doctor"], stdout=subprocess.PIPE, text=True, check=False)
        shown = [line.split(", ", 1)[1] for line in done.stdout.splitlines() if " tls libssl.so" in line]
        states = [str(row[4]) for row in self.daemon.property("ProbeStates") if str(row[1]).startswith("libssl.so")]
        self.assertTrue(states)
        self.assertEqual(states, shown)
        for reason in states:
            self.assertLessEqual({"SSL_read", "SSL_write"}, functions_with_places(reason), reason)


class SealedByReturnProbes(Sealed):
    """The same with the kernel's return probes, where programs survive them."""

    settings = {**Sealed.settings, "tls.return_probes": "auto"}


class Soak(TlsCase):
    def resident(self):
        with open(f"/proc/{self.daemon.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def test_calls(self):
        """tls: a million calls (40,000 without --full) are all counted, told or lost; the program's result is the same, the daemon no larger"""
        rounds = 10_000 if QUICK else 250_000
        command = [program("sealed_tls"), str(CERTIFICATE), "strict", str(rounds)]
        unwatched = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        self.watched("sealed_tls", CERTIFICATE, "none", 100, options={"tls": "full"})  # all that is made once is made
        before, resident = self.assert_ledger(), self.resident()
        with watch(self.daemon, command, options={"tls": "full"}, selector={"types": ["target"]}, stdout=subprocess.PIPE) as client:
            client.run(300)
            self.assertEqual((0, unwatched), (client.status, client.process.stdout.read()))
            client.process.stdout.close()
        after = self.assert_ledger()
        calls = after["tls.attempt"] - before["tls.attempt"]
        lost = after["tls.ring-full"] - before["tls.ring-full"]
        print(f"        {calls} records, {lost} of them lost", flush=True)
        self.assertEqual(4 * (rounds + WARM), calls)
        self.assertLess(self.resident() - resident, 64 * 1024)


class Sandbox(TlsCase):
    settings = {"tls.call_kib": 2048}

    def test_bubblewrap(self):
        """tls: curl in bubblewrap, with everything unshared but the network, survives, and is exact"""
        bwrap = [self.needs("/usr/bin/bwrap"), "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "--share-net",
                 "--die-with-parent"]
        if subprocess.run([*bwrap, "/bin/true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest("bubblewrap cannot run here, watched or not")
        self.assert_exact(self.talk(*bwrap, self.needs("/usr/bin/curl"), "-sk", self.server.url(1 << 20)), 1)


class Killed(TlsCase):
    """Each test has a daemon of its own to kill."""

    def killed_at(self, moment, small):
        script = self.folder / "client.py"
        script.write_text(CAREFUL_CLIENT)
        with PrivateBus() as bus:
            daemon = Daemon(bus)
            with watch(daemon, [PYTHON, str(script), str(self.server.port), str(small)], options={"tls": "full"},
                       selector={"types": ["tls"]}) as client:
                client.go()
                client.stream.wait_for(moment, 30)
                daemon.process.kill()
                self.assertEqual(0, client.process.wait(60), "the client failed")
            daemon.kill()
        received, sent = self.server.take(1)[0]
        self.assertEqual(small + 1, received.count(b"GET /"))

    def test_in_a_call(self):
        """tls: SIGKILL of the daemon while a program waits in a call leaves it unharmed, its answer right"""
        self.killed_at(lambda event: event["tls"]["direction"] == "send", 20)

    def test_among_calls(self):
        """tls: SIGKILL of the daemon among calls one after the other leaves the program unharmed, all answers right"""
        seen = []
        self.killed_at(lambda event: seen.append(event) or len(seen) > 100, 1000)


del TlsCase, Sealed

if __name__ == "__main__":
    unittest.main()
