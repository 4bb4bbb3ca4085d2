"""Path rules: what watched programs do so that others are denied, or they themselves are not, and that no rule be put in force."""

import contextlib
import pathlib
import shutil
import tempfile
import time
import unittest

import dbus

from deadline import wait_until
from file_case import FileCase, of
from hanging import lying_link
from harness import CALL_TIMEOUT, PATIENCE, watch

NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}

# argv: a system call's number, what is said to be its result, two names. Prints what the call returned.
ANSWERED = """
import ctypes, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
number, result, *names = sys.argv[1:]
RETURN_ERRNO, ALLOW = 0x00050000, 0x7FFF0000
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, int(number)), (0x06, 0, 0, RETURN_ERRNO | int(result)), (0x06, 0, 0, ALLOW)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, struct.pack("HxxxxxxQ", 4, ctypes.addressof(program))) == 0
print(libc.syscall(int(number), *(name.encode() for name in names)))
"""

# argv: a folder, which becomes the root of a user and mount namespace of its own; two names there.
ELSEWHERE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
place, old, new = sys.argv[1:]
uid, gid = os.getuid(), os.getgid()
if libc.unshare(0x10020000) != 0:
    sys.exit("no namespace: " + os.strerror(ctypes.get_errno()))
for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
    open(f"/proc/self/{name}", "w").write(text)
assert libc.mount(b"none", b"/", None, ctypes.c_ulong(0x44000), None) == 0
assert libc.mount(b"none", place.encode(), b"tmpfs", ctypes.c_ulong(0), None) == 0
os.makedirs(place + old)
os.makedirs(place + "/old")
os.chdir(place)
assert libc.syscall(155, b".", b"old") == 0
os.chdir("/")
os.rename(old, new)
print("renamed")
"""


class Deceit(FileCase):
    without = ("tls",)

    def set_rules(self, *rules):
        """Triples of verdict, pattern and options."""
        rows = [dbus.Struct((str(pattern), verdict, dbus.Dictionary(options, signature="sv")), signature="ssa{sv}")
                for verdict, pattern, options in rules]
        self.addCleanup(self.daemon.manager.UpdatePathFilter, dbus.Array([], signature="(ss)"))
        self.daemon.manager.SetPathRules(dbus.Array(rows, signature="(ssa{sv})"), timeout=CALL_TIMEOUT)

    def python(self, script, *arguments, **how):
        return self.watched_path("/usr/bin/python3", "-S", "-c", script, *arguments, **how)

    @contextlib.contextmanager
    def busy(self, script, *arguments):
        """A watched program that goes on until it is killed."""
        with watch(self.daemon, ["/usr/bin/python3", "-S", "-c", script, *map(str, arguments)], selector={"types": ["exit"]}) as program:
            program.go()
            time.sleep(0.5)
            yield

    def shows_names_alone(self):
        account, _ = self.watched("alias_ops", "plain", "-", "/usr/bin/true", "open")
        return {body["hook"] for body in of(account)} == {"tracepoint"}

    def assert_free(self, path):
        time.sleep(0.5)  # what is learned is learned at once
        account, _ = self.watched("alias_ops", "plain", "-", path, "open")
        self.assertEqual({"none"}, {body["verdict"] for body in of(account)}, path)

    def test_answered(self):
        """deceit: a rename that a filter of system calls only says has been done denies nobody's files"""
        (self.folder / "vault").mkdir()
        self.deny(f"{self.folder}/vault/")
        account, said = self.python(ANSWERED, "82", "0", f"{self.folder}/vault/x", "/usr", **NOBODY)
        self.assertEqual("0", said.strip())
        self.assertEqual([], [body["result"] for body in of(account, op="rename") if body["result"] == 0])
        self.assert_free("/usr/bin/true")

    def test_answered_is_unseen(self):
        """deceit: a call that somebody answered in the kernel's place is not told as done, but its refusal is told"""
        path = self.secret()
        self.deny(path)
        before = self.daemon.counters()["file.unseen"]
        account, said = self.python(ANSWERED, "87", "0", path)
        self.assertEqual(("0", []), (said.strip(), of(account, op="unlink")))
        self.assertTrue(path.exists())
        if self.shows_names_alone():
            self.assertEqual(before + 1, self.daemon.counters()["file.unseen"])
            account, said = self.python(ANSWERED, "87", "1", path)
            self.assertEqual([("-1", -1, "deny")], [(said.strip(), body["result"], body["verdict"]) for body in of(account, op="unlink")])

    def test_elsewhere(self):
        """deceit: what is renamed in a mount namespace of one's own denies nothing in the machine's"""
        place = self.folder / "place"
        place.mkdir()
        self.deny("/run/secrets/")
        account, said = self.python(ELSEWHERE, place, "/run/secrets/usr", "/usr")
        self.assertEqual("renamed", said.strip())
        (body,) = of(account, op="rename", result=0)
        self.assertEqual("deny", body["verdict"])
        self.assert_free("/usr/bin/true")

    def test_led_elsewhere(self):
        """deceit: a symlink that is put on a denied file's way leads to nobody's files, though those change all the time"""
        for name in ("vault/busy", "way", "others/busy"):
            (self.folder / name).mkdir(parents=True)
        self.deny(f"{self.folder}/vault/")
        self.python("import os, sys\nos.chdir(sys.argv[1])\nos.rename('vault/busy', 'way/busy')\nos.rename('way', 'gone')\n"
                    "os.symlink('others', 'way')\nopen('others/busy/file', 'w')", self.folder)
        self.assert_free(self.folder / "others/busy/file")

    def test_moves_itself(self):
        """deceit: a name that starts in the very folder which is moved by it leads to nobody's files"""
        for name in ("x/y/vault/own", "x/other"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "x/other/file").touch()
        self.deny(f"{self.folder}/x/y/vault/")
        time.sleep(2.1)  # nothing here was changed just now
        before = self.daemon.counters()["file.learn-full"]
        self.python("import os, sys\nos.chdir(sys.argv[1])\nos.rename(sys.argv[1], '../../other')", self.folder / "x/y/vault/own")
        self.assert_free(self.folder / "x/other/file")
        if self.shows_names_alone():
            self.assertEqual(before + 1, self.daemon.counters()["file.learn-full"])

    def test_way_that_stood(self):
        """deceit: through a symlink that stood there before a denied file stays denied; through a new one it is counted"""
        tree = pathlib.Path(tempfile.mkdtemp(prefix="aa-test-", dir="/srv"))  # where nothing else changes
        self.addCleanup(shutil.rmtree, tree)
        for name in ("vault", "real"):
            (tree / name).mkdir()
        (tree / "way").symlink_to("real")
        for name in ("first", "second"):
            (tree / "vault" / name).write_text("s")
        self.deny(f"{tree}/vault/")
        before = self.daemon.counters()["file.learn-full"]
        time.sleep(2.1)
        self.watched_path("/bin/mv", tree / "vault/first", tree / "way/first")
        wait_until(lambda: self.is_denied(tree / "real/first"), "it is known", 10)
        self.assertEqual(before, self.daemon.counters()["file.learn-full"])
        (tree / "other").symlink_to("real")
        self.watched_path("/bin/mv", tree / "vault/second", tree / "other/second")
        if self.shows_names_alone():
            wait_until(lambda: self.daemon.counters()["file.learn-full"] == before + 1, "it is counted", 10)
        else:
            self.assertTrue(self.is_denied(tree / "real/second"))

    def test_lying_link(self):
        """deceit: a symlink that says something else to the daemon leads to nobody's files"""
        tree = pathlib.Path(tempfile.mkdtemp(prefix="aa-test-", dir="/srv"))  # where nothing else changes
        self.addCleanup(shutil.rmtree, tree)
        for name in ("vault", "real", "others"):
            (tree / name).mkdir()
        lying_link(self, tree / "way", tree / "real", tree / "others", self.daemon.pid)
        (tree / "vault/x").touch()
        self.deny(f"{tree}/vault/")
        time.sleep(2.1)
        (tree / "others/x").touch()  # as if it had been given its name just now
        before = self.daemon.counters()["file.learn-full"]
        self.python("import os, sys\nos.chdir(sys.argv[1])\nos.rename('vault/x', 'way/file/x')", tree)
        self.assertTrue((tree / "real/x").exists())
        self.assert_free(tree / "others/x")
        if self.shows_names_alone():
            wait_until(lambda: self.daemon.counters()["file.learn-full"] == before + 1, "it is counted", 10)

    def test_folder_goes_on(self):
        """deceit: what leaves a denied folder stays denied when the folder that it went to is moved at once"""
        for number in range(10):
            with self.subTest(number):
                for name in ("vault", "way"):
                    (self.folder / name).mkdir(exist_ok=True)
                self.secret("vault/file")
                self.deny(f"{self.folder}/vault/")
                self.python("import os, sys\nos.chdir(sys.argv[1])\nos.rename('vault/file', 'way/file')\n"
                            "os.rename('way', sys.argv[2])", self.folder, f"out{number}")
                wait_until(lambda: self.is_denied(self.folder / f"out{number}/file"), "it is known", 10)

    def test_spelt_otherwise(self):
        """deceit: what left a denied folder stays denied when it is moved on at once, however its name is spelt then"""
        for number, name in enumerate(("./a", ".//a", "a")):
            with self.subTest(name):
                (self.folder / "vault").mkdir(exist_ok=True)
                self.secret("vault/file")
                self.deny(f"{self.folder}/vault/")
                account, _ = self.python("import os, sys\nos.chdir(sys.argv[1])\nos.rename('vault/file', './a')\n"
                                         "os.rename(sys.argv[2], sys.argv[3])", self.folder, name, f"out{number}")
                self.assertEqual(["deny", "deny"], [body["verdict"] for body in of(account, op="rename")])
                wait_until(lambda: self.is_denied(self.folder / f"out{number}"), "it is known", 10)

    def test_moved_unseen(self):
        """deceit: what left a denied folder and is gone when it is looked for is counted"""
        for name in ("vault", "real"):
            (self.folder / name).mkdir()
        (self.folder / "way").symlink_to("real")
        for number in range(10):
            with self.subTest(number):
                self.secret("vault/file")
                self.deny(f"{self.folder}/vault/")
                before = self.daemon.counters()["file.learn-full"]
                self.python("import os, sys\nos.chdir(sys.argv[1])\nos.rename('vault/file', 'real/a')\n"
                            "os.rename('way/a', sys.argv[2])", self.folder, f"out{number}")
                wait_until(lambda: self.daemon.counters()["file.learn-full"] > before
                           or self.is_denied(self.folder / f"out{number}"), "it is known, or counted", 10)

    def test_many_names(self):
        """deceit: a folder with thousands of names that were given just now holds nobody up, however often it is moved"""
        for name in ("vault", "a"):
            (self.folder / name).mkdir()
        self.deny(f"{self.folder}/vault/")
        before = self.daemon.counters()["file.learn-full"]
        with self.busy("import os, sys, time\nos.chdir(sys.argv[1])\n"
                       "for number in range(2000):\n  os.mkdir(f'vault/{number}')\n"
                       "while True:\n  for number in range(2000): os.rename(f'vault/{number}', f'a/{number}')\n"
                       "  for _ in range(2000):\n    os.rename('a', 'b')\n    os.rename('b', 'a')\n"
                       "  for number in range(2000): os.rename(f'a/{number}', f'vault/{number}')", self.folder):
            for _ in range(10):
                begin = time.monotonic()
                self.daemon.manager.GetPathFilter(timeout=CALL_TIMEOUT)
                self.assertLess(time.monotonic() - begin, PATIENCE)
                time.sleep(0.2)
        if self.shows_names_alone():  # else nothing needs to be looked up
            self.assertLess(before, self.daemon.counters()["file.learn-full"])

    def test_by_some_operations(self):
        """deceit: what only some operations are denied of, or to one target, stays so when it is moved or linked by others"""
        for options in ({"ops": dbus.Array(["open", "read"], signature="s")}, {"target": "agent"}):
            with self.subTest(list(options)):
                vault = self.folder / f"vault-{next(iter(options))}"
                (vault / "below").mkdir(parents=True)
                for name in ("moved", "linked", "below/file"):
                    (vault / name).write_text("s")
                self.set_rules(("deny", f"{vault}/", options))
                out = self.folder / f"out-{next(iter(options))}"
                out.mkdir()
                for tool, name in (("mv", "moved"), ("ln", "linked"), ("mv", "below")):
                    account, _ = self.watched_path(f"/bin/{tool}", vault / name, out / name)
                    self.assertEqual([], of(account, op="rename", verdict="deny"))
                for name in ("moved", "linked", "below/file"):
                    wait_until(lambda: self.is_denied_to("agent", out / name), f"{name} is known", 10)

    def is_denied_to(self, target, path):
        account, _ = self.watched("alias_ops", "plain", "-", path, "open", options={"name": target})
        return "deny" in [body["verdict"] for body in of(account, op="open", path=str(path))]

    def test_rules_come_through(self):
        """deceit: rules are put in force beside a program that does nothing but move a file out of a denied folder and in again"""
        for name in ("vault", "out"):
            (self.folder / name).mkdir()
        self.secret("vault/file")
        self.deny(f"{self.folder}/vault/")
        with self.busy("import os, sys\nos.chdir(sys.argv[1])\nwhile True:\n  os.rename('vault/file', 'out/file')\n"
                       "  os.rename('out/file', 'vault/file')", self.folder):
            for _ in range(3):
                self.deny(f"{self.folder}/vault/")  # within CALL_TIMEOUT

    def test_many_components(self):
        """deceit: names of thousands of components hold nobody up"""
        with self.busy("import os\nname = 'a/' * 2040\nwhile True:\n  try: os.unlink(name)\n  except OSError: pass"):
            time.sleep(2)
            begin = time.monotonic()
            self.daemon.manager.GetPathFilter(timeout=CALL_TIMEOUT)
            self.assertLess(time.monotonic() - begin, 5 * PATIENCE)  # some milliseconds; it was half a minute


if __name__ == "__main__":
    unittest.main()
