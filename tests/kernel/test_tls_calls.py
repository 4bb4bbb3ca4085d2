"""TLS: libssl's own calls in the ways that programs in C make them, and from where the library has another name."""

import os
import pathlib
import subprocess
import unittest

from harness import program, wait_until
from kernel_case import QUICK
from tls_case import TlsCase, streams_of, traps_in
from tls_server import CERTIFICATE

PYTHON = "/usr/bin/python3"
PROGRAMS = pathlib.Path(__file__).resolve().parents[1] / "programs"
CALLS, EARLY, QUIC = (PROGRAMS / f"openssl_{name}.py" for name in ("calls", "early", "quic"))

# Two ends in memory: an empty line makes them anew, others are said by one and heard by the other.
TALKER = f"""
import ssl, sys
def end(context, **how):
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    return context.wrap_bio(into, out, **how), into, out
def carry(one, other):
    other[1].write(one[2].read())
def shake(one):
    try:
        one[0].do_handshake()
    except ssl.SSLWantReadError:
        pass
print(flush=True)
for line in sys.stdin.buffer:
    if line == b"\\n":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain({str(CERTIFICATE)!r})
        client, server = end(ssl._create_unverified_context()), end(context, server_side=True)
        for _ in range(4):
            shake(client), carry(client, server), shake(server), carry(server, client)
    else:
        client[0].write(line[:-1])
        carry(client, server)
        server[0].read()
    print(flush=True)
"""


class Calls(TlsCase):
    settings = {"tls.call_kib": 2048}

    def exact(self, way, *before, connections=1):
        def told():
            self.server.conversations.clear()
            account = self.talk(*before, PYTHON, CALLS, self.server.port, way, self.folder, deadline=60)
            self.assert_exact(account, connections or len(streams_of(account)))
            return account

        account = self.unskipped("tls", told)
        self.assert_ledger()
        return account

    def test_plain(self):
        """tls: a program that maps libssl late and calls it itself is exact"""
        account = self.exact("plain")
        self.assertEqual({"SSL_read", "SSL_write"}, {event["tls"]["function"] for event in account.of_type("tls")})

    def test_small(self):
        """tls: a thousand small calls (a hundred without --full) are as many events"""
        calls = 100 if QUICK else 1000
        account = self.exact(f"small-{calls}")
        sent = [event["tls"]["length"] for event in account.of_type("tls") if event["tls"]["direction"] == "send"]
        self.assertEqual(calls + 2, sum(length < 100 for length in sent))  # and two more requests

    def test_peek(self):
        """tls: what is peeked at before it is read is told once"""
        self.exact("peek")

    def test_bio(self):
        """tls: a BIO that does TLS by itself is exact, though it calls nothing that libssl exports"""
        account = self.exact("bio")
        functions = {event["tls"]["function"] for event in account.of_type("tls")}
        self.assertEqual({"BIO_f_ssl.read", "BIO_f_ssl.write"}, functions)

    def test_partial(self):
        """tls: partial writes to a full socket, tried again and again, are told once, as they went"""
        account = self.exact("partial")
        writes = [event for event in account.of_type("tls") if event["tls"]["function"] == "SSL_write"]
        self.assertGreater(len(writes), 10, "nothing was partial: this proves nothing")

    def test_cold(self):
        """tls: what is sent out of a mapped file that nobody touched before is told"""
        self.exact("cold")

    def test_cleared(self):
        """tls: an object that is cleared and connected again is another connection, which counts from its own start"""
        self.exact("clear", connections=2)

    def test_cleared_in_fork(self):
        """tls: so is one that a fork clears, and connects again, before it ever used it: nothing of its parent's goes on there"""
        account = self.exact("forked", connections=2)
        self.assertEqual([], [event for event in account.of_type("tls") if "inherited_from" in event["tls"]])

    def test_reused(self):
        """tls: an object at the address of one that was freed is another connection"""
        self.exact("reuse", connections=None)

    def test_kept(self):
        """tls: an object that one of two who held it freed is the same connection"""
        self.exact("kept")

    def test_kept_in_fork(self):
        """tls: so is one that a fork has from its parent, and cleared before one of the two freed it"""
        self.exact("forked_kept", connections=2)

    def test_early(self):
        """tls: OpenSSL's early data, of the client and of the server, is told of both ends, as the first bytes of its connection"""
        def told():
            account, said = self.watched_path(PYTHON, EARLY, CERTIFICATE, options={"tls": "full"}, deadline=30)
            self.assertEqual((0, "early 500\n"), (self.last.status, said))
            asked = (b"hello", b"world")
            early = (b"early" * 100 + b"hello", b"soon" * 10 + b"world")
            streams = [(stream["send"], stream["recv"]) for stream in streams_of(account).values()]
            self.assertEqual(sorted([asked, asked[::-1], early, early[::-1]]), sorted(streams))

        self.unskipped("tls", told)

    def said_in_turn(self, *turns, **popen):
        """[what a process says in one TLS object after another turn, as told]; a turn is words to say, or something to do meanwhile."""
        process = subprocess.Popen([PYTHON, "-c", TALKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **popen)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        process.stdout.readline()
        stream = self.daemon.subscribe(types=["tls"])
        for turn in turns:
            if callable(turn):
                turn(process.pid)
            else:
                process.stdin.write(turn + b"\n")
                process.stdin.flush()
                process.stdout.readline()
        stream.wait_for(lambda event: event["tls"]["length"] == len(turns[-1]), 20, "the last is told")
        said = [event["tls"] for event in stream.until_quiet() if event["tls"]["direction"] == "send"]
        stream.close()
        return said

    def assert_broken(self, said):
        """The second half is another connection, and of a secret that began unheard nothing is shown."""
        first, second = said
        self.assertEqual((True, 0, '{"a":1,'), (first["from_start"], first["offset"], first["data"]))
        self.assertEqual((False, 0, 7 * "*" + '","b":1}'), (second["from_start"], second["offset"], second["data"]))
        self.assertNotEqual(first["connection"], second["connection"])

    def test_unwatched_between(self):
        """tls: what goes on after a time in which nobody watched is another connection, and begins inside of a secret"""
        targets = []
        watch_it = lambda pid: targets.append(self.daemon.start(pid, tls="redacted"))
        let_go = lambda _: self.daemon.stop_monitoring(targets[-1])
        with self.subTest("not watched"):
            self.assert_broken(self.said_in_turn(watch_it, b"", b'{"a":1,', let_go, b'"password":"abc', watch_it, b'hunter2","b":1}'))
        let_go(None)
        with self.subTest("in a target that does not listen"):
            deaf = lambda pid: targets.append(self.daemon.start(pid, tls="off"))
            self.assert_broken(self.said_in_turn(watch_it, b"", b'{"a":1,', let_go, deaf, b'"password":"abc', let_go, watch_it,
                                                 b'hunter2","b":1}'))
        let_go(None)

    def test_rewritten_between(self):
        """tls: so is what goes on after its library was rewritten in place"""
        folder = self.copy_of_libssl("rewritten")
        library = folder / "libssl.so.3"
        file = self.enterContext(library.open("r+b"))
        state = lambda pid: self.explain(pid)[str(library)][0]

        def begin(pid):
            target = self.daemon.start(pid, tls="redacted")
            self.addCleanup(self.daemon.stop_monitoring, target)
            wait_until(lambda: state(pid) == "attached", "it is listened to")

        def rewrite(pid):
            first = file.read(1)
            file.seek(0)
            file.write(first)
            file.flush()
            wait_until(lambda: state(pid) == "degraded", "it is let go of")
            wait_until(lambda: traps_in(pid, library) == 0, "its traps are gone", 30)  # one by one where the kernel is old

        def finish(pid):
            file.close()
            wait_until(lambda: state(pid) == "attached", "it is listened to again")

        said = self.said_in_turn(begin, b"", b'{"a":1,', rewrite, b'"password":"abc', finish, b'hunter2","b":1}',
                                 env={**os.environ, "LD_LIBRARY_PATH": str(folder)})
        self.assert_broken(said)

    def meet(self, path):
        """Runs a program that carries its library until somebody was in time to look into it."""
        def is_met():
            self.talk(path)
            return os.path.basename(path) in {str(row[1]) for row in self.daemon.property("ProbeStates")}

        wait_until(is_met, "its library is met")

    def test_shared_object(self):
        """tls: an object that two threads read at once, as QUIC's may be, is told whole: each call, and none twice"""
        def told():
            account = self.talk(program("shared_tls"))
            [stream] = streams_of(account).values()
            self.assertEqual((5 * b"q" + 30 * b"w" + 6 * b"q" + 40 * b"w", b"end"), (stream["recv"], stream["send"]))

        self.meet(program("shared_tls"))
        self.unskipped("tls", told)

    def test_same_object(self):
        """tls: an object that is made where another is, whose end was not seen, is another connection, and the other one has ended"""
        def told():
            before = self.assert_ledger()["tls.attempt"]
            account = self.talk(program("shared_tls"), "1000")
            self.assertEqual(1000, len(streams_of(account)))
            self.assertEqual(1000 + 999, self.assert_ledger()["tls.attempt"] - before)

        self.meet(program("shared_tls"))
        self.unskipped("tls", told)

    @unittest.skipUnless(os.uname().machine == "x86_64", "its functions are this machine's own")
    def test_deep(self):
        """tls: an object's life is followed though its functions are seen where their stack is deeper: held twice, it outlives a free"""
        def told():
            account = self.talk(program("deep_tls"))
            [stream] = streams_of(account).values()
            self.assertEqual(b"beforeafter", stream["send"])

        self.meet(program("deep_tls"))
        self.unskipped("tls", told)

    def test_quic(self):
        """tls: of QUIC by OpenSSL each stream is a connection of its own, whole at both ends"""
        def told():
            account, said = self.watched_path(PYTHON, QUIC, CERTIFICATE, options={"tls": "full"}, deadline=60)
            if said == "none\n":
                self.skipTest("this libssl knows no servers of QUIC")
            self.assertEqual((0, "quic 2\n"), (self.last.status, said))
            asked = (b"hello over quic" * 100, b"and once more" * 10)
            said = [ends for one in asked for ends in ((one, one.upper()), (one.upper(), one))]
            self.assertEqual(sorted(said), sorted((stream["send"], stream["recv"]) for stream in streams_of(account).values()))

        self.unskipped("tls", told)

    def test_mount_namespace(self):
        """tls: in a mount namespace of its own"""
        self.exact("plain", "/usr/bin/unshare", "--mount")

    def test_chroot(self):
        """tls: in another root, where the library has another path"""
        root = self.folder / "root"
        root.mkdir()
        subprocess.run(["mount", "--rbind", "--make-rslave", "/", root], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", root], check=True)
        self.exact("plain", "/usr/sbin/chroot", root)


if __name__ == "__main__":
    unittest.main()
