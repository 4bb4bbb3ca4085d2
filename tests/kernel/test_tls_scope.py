"""TLS: with tls.scope "watched" only watched processes run into us, each attached to by itself."""

import os
import pathlib
import signal
import subprocess
import unittest

from harness import PATIENCE, daemon_path, program, wait_until, watch
from tls_case import TlsCase, data_of, streams_of, traps_in

PYTHON = "/usr/bin/python3"
CALLS = pathlib.Path(__file__).resolve().parents[1] / "programs/openssl_calls.py"
DETACHED_WITHIN = 120  # seconds: a process's, and those of all before it; without uprobe_multi each takes some

# Maps libssl, connects when its file is there, asks once in itself and once in a child that has waited for the other file.
CLIENT = """
import http.client, os, ssl, sys, time
port, go, go_on = sys.argv[1:]
def wait_for(file):
    while not os.path.exists(file):
        if not os.path.exists(os.path.dirname(file)): os._exit(1)  # nobody will make it any more
        time.sleep(0.01)
def ask():
    link.request("GET", "/1000")
    assert len(link.getresponse().read()) == 1000
print("up", flush=True)
wait_for(go)
link = http.client.HTTPSConnection("127.0.0.1", int(port), context=ssl._create_unverified_context())
ask()
if go_on:
    child = os.fork()
    if child == 0:
        wait_for(go_on)
        ask()
        os._exit(0)
    os.waitpid(child, 0)
link.close()
"""


# Forks, does more than is read in one turn, and only then lets the child end.
FORK_AMONG_OTHERS = """
import os, sys
go, end = os.pipe()
sys.stdin.readline()
if os.fork() == 0:
    os.close(end)
    os.read(go, 1)
    os._exit(0)
for number in range(6000):
    try: os.execve(f"/nowhere/{number}", ["x"], {})
    except OSError: pass
os.close(end)
os.wait()
print(flush=True)
sys.stdin.read()
"""


class ScopeCase(TlsCase):
    settings = {"tls.call_kib": 2048, "tls.scope": "watched"}

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop(DETACHED_WITHIN)

    def with_library(self):
        """A libssl that nobody else has, and a program's environment with it."""
        folder = self.copy_of_libssl("own")
        library = folder / "libssl.so.3"
        return library, {**os.environ, "LD_PRELOAD": str(library), "LD_LIBRARY_PATH": str(folder)}

    def holder(self, env):
        process = subprocess.Popen([program("hold")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stdout.close)
        process.stdout.readline()
        return process


class Scope(ScopeCase):
    def test_unwatched(self):
        """scope: a watched process has the kernel's traps in its library, others, before it and after it, have none"""
        library, env = self.with_library()
        before, one = self.holder(env), self.holder(env)
        self.daemon.start(one.pid)
        after = self.holder(env)
        self.assertLess(5, traps_in(one.pid, library))
        self.assertEqual([0, 0], [traps_in(process.pid, library) for process in (before, after)])
        self.assertEqual("attached", self.explain(one.pid)[str(library)][0])
        state, reason = self.explain(after.pid)[str(library)]
        self.assertEqual("standby", state)
        self.assertIn("not attached to in this process", reason)

    def test_let_go(self):
        """scope: a process whose target is let go of has no traps any more; of one that ended the daemon keeps nothing"""
        library, env = self.with_library()
        first = self.holder(env)
        target = self.daemon.start(first.pid)
        self.daemon.stop_monitoring(target)
        wait_until(lambda: traps_in(first.pid, library) == 0, "its traps are gone", DETACHED_WITHIN)

        def descriptors():
            return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

        before = descriptors()
        second = self.holder(env)
        self.daemon.start(second.pid)
        self.assertLess(before, descriptors())
        second.stdin.close()
        second.wait()
        wait_until(lambda: descriptors() == before, "its attachments are gone", DETACHED_WITHIN)

    def test_rewritten(self):
        """scope: a library that is rewritten in place is let go of in each process, and attached to there again"""
        library, env = self.with_library()
        process = self.holder(env)
        self.daemon.start(process.pid)
        with library.open("r+b") as file:
            file.write(b"\x7fELF")
            file.flush()
            wait_until(lambda: "rewritten" in self.explain(process.pid)[str(library)][1], "it is let go of", DETACHED_WITHIN)
            wait_until(lambda: traps_in(process.pid, library) == 0, "its traps are gone")
        self.wait_until_attached(process.pid, library)
        self.assertLess(5, traps_in(process.pid, library))

    def test_met_while_rewritten(self):
        """scope: who maps a library while it is being rewritten is attached to when that is over"""
        library, env = self.with_library()
        self.daemon.start(self.holder(env).pid)
        with library.open("r+b") as file:
            file.write(b"\x7fELF")
            file.flush()
            late = self.holder(env)
            self.daemon.start(late.pid)
            self.assertEqual(0, traps_in(late.pid, library))
        self.wait_until_attached(late.pid, library)
        self.assertLess(5, traps_in(late.pid, library))

    def test_counted(self):
        """scope: how often was attached, and how long it took, is counted; the library's own state says how it is done"""
        library, env = self.with_library()
        before = self.daemon.counters()
        for _ in range(3):
            self.daemon.start(self.holder(env).pid)
        after = self.daemon.counters()
        self.assertEqual(3, after["tls.attached"] - before["tls.attached"])
        self.assertLess(before["tls.attach-us"], after["tls.attach-us"])
        [(state, reason)] = [(str(row[2]), str(row[4])) for row in self.daemon.property("ProbeStates") if str(row[1]) == str(library)]
        self.assertEqual("standby", state)
        self.assertIn("SSL_read", reason)

    def talk_in_turn(self, *, forks):
        """A client that speaks once it is attached to, and its child too; its events."""
        go, go_on = self.folder / "go", self.folder / "go-on"
        script = self.folder / "client.py"
        script.write_text(CLIENT)
        library, env = self.with_library()
        self.daemon.start(self.holder(env).pid)  # the library is known by now
        del env["LD_PRELOAD"]
        with watch(self.daemon, [PYTHON, str(script), str(self.server.port), str(go), str(go_on) if forks else ""], env=env,
                   options={"tls": "full"}, selector={"types": list(self.types)}, stdout=subprocess.PIPE) as client:
            client.go()
            self.assertEqual(b"up\n", client.process.stdout.readline())
            self.wait_until_attached(client.pid, library)
            self.assert_losses(client, 1)
            go.touch()
            if forks:
                fork = client.stream.wait_for(lambda event: event["type"] == "fork" and event["process"]["pid"] == client.pid, 20)
                child = int(fork["fork"]["child_id"].partition("-")[0])
                self.wait_until_attached(child, library)
                self.assert_losses(client, 2)
                go_on.touch()
            client.finish()
            self.assertEqual(0, client.status)
            client.process.stdout.close()
            return [event for event in client.stream.of_type("tls") if event["target"]["id"] == client.target], client.pid

    def wait_until_attached(self, pid, library):
        wait_until(lambda: self.explain(pid).get(str(library), ("",))[0] == "attached", f"{pid} is attached to")

    def assert_losses(self, client, count):
        wait_until(lambda: len(client.stream.of_type("loss")) >= count, "what may be missing is told")
        losses = [event["loss"] for event in client.stream.of_type("loss")]
        losses = [loss for loss in losses if loss["count"] == 0]  # others are of calls that were under way, as slow machines have them
        self.assertEqual([("tls", "late-attach", 0)] * count, [(loss["family"], loss["cause"], loss["count"]) for loss in losses])

    def test_late(self):
        """scope: what a program that maps a known library says before it is attached to is told as lost; what it says then is whole"""
        events, _ = self.talk_in_turn(forks=False)
        received, sent = self.server.take(1)[0]
        for direction, whole in (("send", received), ("recv", sent)):
            self.assertEqual(whole, b"".join(data_of(event["tls"]) for event in events if event["tls"]["direction"] == direction))
        self.assertEqual({True}, {event["tls"]["from_start"] for event in events})

    def test_fork(self):
        """scope: a fork is attached to, what it said before is told as lost, and its parent's connection goes on in it"""
        events, parent = self.talk_in_turn(forks=True)
        received, sent = self.server.take(1)[0]
        for direction, whole in (("send", received), ("recv", sent)):
            bodies = [event["tls"] for event in events if event["tls"]["direction"] == direction]
            self.assertEqual(whole, b"".join(map(data_of, bodies)))
        first = next(event["tls"]["connection"] for event in events if event["process"]["pid"] == parent)
        self.assertEqual({first}, {event["tls"]["inherited_from"] for event in events if event["process"]["pid"] != parent})

    def told_at_end(self, library, env, *argv):
        """Losses without a number when a program has ended before the daemon gets to look at it."""
        with watch(self.daemon, list(map(str, argv)), selector={"types": ["loss", "target"]}, env=env) as client:
            os.kill(self.daemon.pid, signal.SIGSTOP)
            try:
                client.go()
                self.assertEqual(0, client.process.wait(20 * PATIENCE))
            finally:
                os.kill(self.daemon.pid, signal.SIGCONT)
            client.finish()
            return [event["loss"]["cause"] for event in client.stream.of_type("loss") if event["loss"]["count"] == 0]

    def test_ended(self):
        """scope: a process that has mapped a known library, and ended before it was attached to, is told as lost; one without is not"""
        library, env = self.with_library()
        holder = self.holder(env)
        self.daemon.stop_monitoring(self.daemon.start(holder.pid))  # now it is known
        self.assertIn("late-attach", self.told_at_end(library, env, "/usr/bin/true"))
        self.assertEqual([], self.told_at_end(library, None, "/usr/bin/true"))

    def test_fork_ended(self):
        """scope: a fork of a process that is listened to, which ended before it was attached to, is told as lost"""
        self.assert_fork_is_told("import os, sys; sys.stdin.readline(); os.fork() or os._exit(0); os.wait(); print(flush=True); sys.stdin.read()")

    def test_fork_ended_later(self):
        """scope: a fork of a process that is listened to, whose end is told some turns after its beginning, is told as lost once it has ended"""
        self.assert_fork_is_told(FORK_AMONG_OTHERS)

    def assert_fork_is_told(self, script):
        """Of a script that forks for a line it is given, and writes one when the fork has ended."""
        library, env = self.with_library()
        with watch(self.daemon, [PYTHON, "-c", script], selector={"types": ["loss"]}, env=env, stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE) as client:
            client.go()
            wait_until(lambda: self.explain(client.pid).get(str(library), ("",))[0] == "attached", "it is attached to")
            client.stream.until_quiet()
            before = len(client.stream.of_type("loss"))
            os.kill(self.daemon.pid, signal.SIGSTOP)
            try:
                client.process.stdin.write(b"\n")
                client.process.stdin.flush()
                client.process.stdout.readline()
            finally:
                os.kill(self.daemon.pid, signal.SIGCONT)
            wait_until(lambda: len(client.stream.of_type("loss")) > before, "what may be missing is told")
            self.assertEqual(("late-attach", 0), tuple(client.stream.of_type("loss")[before]["loss"][what] for what in ("cause", "count")))
            client.process.stdin.close()
            client.process.stdout.close()

    def test_refused(self):
        """scope: another word is refused, with those that are allowed"""
        done = subprocess.run([daemon_path(), "--check-config", "--set", "tls.scope=all"], stderr=subprocess.PIPE, text=True, check=False)
        self.assertNotEqual(0, done.returncode)
        self.assertIn('"inode", "watched"', done.stderr)


class ScopeHeld(ScopeCase):
    """With holding nothing is missing, of whatever process."""

    settings = {**ScopeCase.settings, "tls.hold_new_library": "on", "tls.hold_ms": int(min(10_000, 5000 * PATIENCE))}

    def exact(self, *argv, **popen):
        missed = self.daemon.counters()["tls.hold-missed"]
        account = self.talk(*argv, deadline=60, **popen)
        if PATIENCE > 1 and self.daemon.counters()["tls.hold-missed"] > missed:
            self.server.take(1)  # none of the next test's
            self.skipTest("this machine takes longer to attach than anybody may be held")
        self.assert_exact(account, 1)
        self.assertEqual(missed, self.daemon.counters()["tls.hold-missed"])

    def test_each(self):
        """scope: of one program after the other that maps the same library, every byte is there from the first on"""
        for _ in range(3):
            before = self.daemon.counters()
            self.exact(self.needs("/usr/bin/curl"), "-sk", self.server.url(1 << 20))
            after = self.daemon.counters()
            self.assertLess(before["tls.attached"], after["tls.attached"])
            self.assertLess(before["tls.held"], after["tls.held"])

    def test_dlopened(self):
        """scope: the same of a library that is mapped late, again and again"""
        for _ in range(3):
            self.exact(PYTHON, CALLS, self.server.port, "plain", self.folder)

    def test_short(self):
        """scope: nothing is told as lost of processes that were held and attached to, and ended at once"""
        _, env = self.with_library()
        stream = self.daemon.subscribe(types=["loss"])
        missed = self.daemon.counters()["tls.hold-missed"]
        for _ in range(8):
            self.watched_path("/usr/bin/true", env=env, deadline=60)
        losses = [event["loss"]["cause"] for event in stream.until_quiet()]
        stream.close()
        self.assertLessEqual(len(losses), self.daemon.counters()["tls.hold-missed"] - missed)

    def test_unmovable(self):
        """scope: a program that carries its library and lies at addresses of its own choice, as Node does, is heard whole"""
        account = self.talk(program("shared_tls"))
        [stream] = streams_of(account).values()
        self.assertEqual((81, b"end"), (len(stream["recv"]), stream["send"]))

    def test_executed(self):
        """scope: a process that was attached to and executes another program is exact, and attached to once"""
        _, env = self.with_library()  # mapped before it executes anything
        before = self.daemon.counters()["tls.attached"]
        self.exact(PYTHON, CALLS, self.server.port, "plain", self.folder, env=env)
        self.assertEqual(before + 1, self.daemon.counters()["tls.attached"])

    def test_executed_by_thread(self):
        """scope: the same when a thread that was not its first did so, which ends what was attached"""
        _, env = self.with_library()
        self.exact(program("exec_by_thread"), PYTHON, CALLS, self.server.port, "plain", self.folder, env=env)


class ScopeByUprobe(Scope):
    """The same where the kernel has no uprobe_multi."""

    settings = {**Scope.settings, "tls.hooks": "uprobe"}


class ScopeHeldByUprobe(ScopeHeld):
    settings = {**ScopeHeld.settings, "tls.hooks": "uprobe"}


del ScopeCase, TlsCase

if __name__ == "__main__":
    unittest.main()
