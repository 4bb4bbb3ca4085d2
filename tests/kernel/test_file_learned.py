"""Path rules: what files stay known as, and from when, however they are moved, linked or replaced, and rules changed."""

import contextlib
import itertools
import os
import resource
import threading
import time
import unittest

import dbus

from deadline import wait_until
from file_case import FileCase, of
from kernel_case import QUICK


class Learned(FileCase):
    without = ("tls",)

    def test_joined(self):
        """rules: what a watched program renames or links onto a denied path joins it, under its other names too"""
        path = self.folder / "secret"
        self.deny(path)
        for tool in ("mv", "ln"):
            with self.subTest(tool):
                alias = self.folder / f"alias-{tool}"
                os.link(self.secret(f"new-{tool}"), alias)
                account, _ = self.watched_path(f"/bin/{tool}", self.folder / f"new-{tool}", path)
                self.assertEqual(["deny"], [body["verdict"] for body in of(account, path2=str(path), result=0)])
                wait_until(lambda: self.is_denied(alias), "the file has joined", 10)  # right after, where names are all one sees
                path.unlink()

    def test_joined_to_allowed(self):
        """rules: a denied file that a watched program links or renames to the name of another rule stays denied under that one"""
        for tool in ("ln", "mv"):
            with self.subTest(tool):
                secret, known, alias = self.secret(f"secret-{tool}"), self.folder / f"known-{tool}", self.folder / f"alias-{tool}"
                os.link(secret, alias)
                self.put_rules(("deny", secret), ("allow", known))
                self.watched_path(f"/bin/{tool}", secret, known)
                self.assertEqual([["deny"], ["deny"]], [self.verdicts(known), self.verdicts(alias)])

    def test_exchange(self):
        """rules: an exchange is judged at both ends; the denied file stays denied, and the other one is, under any name"""
        names = ("renameat2", "renameat2.to")
        for denied, other in (names, names[::-1]):
            with self.subTest(denied):
                folder = self.folder / f"folder-{denied}"
                folder.mkdir()
                for name in names:
                    (folder / name).touch()
                os.link(folder / other, folder / "alias")
                self.deny(folder / denied)
                account, said = self.watched("call_variants", "plain", folder, "renameat2")
                self.assertEqual("renameat2 0", said.strip())
                (body,) = of(account, op="rename")
                self.assertEqual(("deny", str(folder / denied)), (body["verdict"], body["rule"]))
                self.assertEqual(["RENAME_EXCHANGE"], body["flags"])
                wait_until(lambda: self.is_denied(folder / "alias"), "the other file has joined", 10)
                account, _ = self.watched("alias_ops", "plain", "-", folder / other, "open")
                self.assertEqual(1, len(of(account, op="open", path=str(folder / other), verdict="deny")))

    def test_failed_rename(self):
        """rules: a rename onto a denied path that fails is told as denied, and its file is as free as before"""
        path = self.folder / "secret"
        (path / "kept").mkdir(parents=True)
        self.deny(path)
        other = self.secret("other")
        account, _ = self.watched_path("/usr/bin/python3", "-c", "import os, sys\ntry: os.rename(*sys.argv[1:])\nexcept OSError: pass",
                                       other, path)
        (body,) = of(account, op="rename")
        self.assertEqual(("deny", True), (body["verdict"], body["result"] < 0))
        self.assertFalse(self.is_denied(other))

    def test_moved_out(self):
        """rules: what a watched program moves or links out of a denied folder stays denied, all below a folder too, until the rule goes"""
        (self.folder / "vault/sub/deep").mkdir(parents=True)
        (self.folder / "named").mkdir()
        for name in ("vault/file", "vault/linked", "vault/sub/deep/x", "named/x"):
            (self.folder / name).touch()
        self.deny(f"{self.folder}/vault/", f"{self.folder}/nam*")
        self.watched_path("/bin/mv", self.folder / "named", self.folder / "other")  # the rule means the folder, not what is below
        for tool, name, moved, inside in (("mv", "file", "out", "out"), ("ln", "linked", "link", "link"),
                                          ("mv", "sub", "shed", "shed/deep/x")):
            self.watched_path(f"/bin/{tool}", self.folder / "vault" / name, self.folder / moved)
            wait_until(lambda inside=inside: self.is_denied(self.folder / inside), f"{inside} is known", 10)
        self.assertEqual(["none"], self.verdicts(self.folder / "other/x"))
        self.deny(f"{self.folder}/vault/", "/nowhere/else")
        self.assertEqual([["deny"], ["deny"]], [self.verdicts(self.folder / name) for name in ("out", "shed/deep/x")])
        self.deny("/nowhere/else")
        self.assertEqual([["none"], ["none"]], [self.verdicts(self.folder / name) for name in ("out", "shed/deep/x")])

    def test_learned_between_rules(self):
        """rules: what leaves a denied folder while other rules change stays denied, as many changes as there are"""
        count = 50 if QUICK else 500
        for name in ("vault", "out"):
            (self.folder / name).mkdir()
        for number in range(count):
            (self.folder / f"vault/{number}").touch()
        vault = f"{self.folder}/vault/"
        self.deny(vault)
        moves = f"for i in $(seq 0 {count - 1}); do mv {vault}$i {self.folder}/out/$i; done"
        with self.changing(lambda number: self.deny(vault, f"/nowhere/{number}")):
            self.watched_path("/bin/sh", "-c", moves, deadline=60)
        time.sleep(1)  # what could be learned is
        account, _ = self.watched_path("/bin/cat", *(self.folder / f"out/{number}" for number in range(count)))
        opened = [body["verdict"] for body in of(account, op="open") if "/out/" in body["path"]]
        self.assertEqual(["deny"] * count, opened)

    @contextlib.contextmanager
    def changing(self, change):
        """Rules change all the time meanwhile."""
        done = threading.Event()

        def run():
            for number in itertools.count():
                if done.is_set():
                    return
                change(number)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def test_learned_after_refusal(self):
        """rules: a set that could not be put in force changes nothing: what leaves a denied folder afterwards stays denied"""
        (self.folder / "vault").mkdir()
        (self.folder / "vault/file").touch()
        vault = f"{self.folder}/vault/"
        generation = self.deny(vault)
        limits = resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            with self.assertRaisesRegex(dbus.DBusException, "MapFailed"):
                self.deny(vault, "/nowhere")
        finally:
            resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, limits)
        self.watched_path("/bin/mv", f"{vault}file", self.folder / "out")
        wait_until(lambda: self.is_denied(self.folder / "out"), "it is known", 10)
        self.assertEqual(generation + 1, self.deny(vault))

    def test_name_of_another(self):
        """rules: a file that gets the name that a denied one was moved to, and left again, is none of its kind"""
        (self.folder / "vault").mkdir()
        (self.folder / "vault/file").touch()
        self.deny(f"{self.folder}/vault/")
        calls = ("import os, sys, time; os.chdir(sys.argv[1]); os.rename('vault/file', 'out'); time.sleep(0.2)\n"
                 "os.rename('out', 'away'); open('out', 'w').close()")
        account, _ = self.watched_path("/usr/bin/python3", "-c", calls, self.folder)
        self.assertEqual(["none"], [body["verdict"] for body in of(account, op="create", path=f"{self.folder}/out")])
        time.sleep(0.5)
        self.assertEqual(([["none"], ["deny"]]), [self.verdicts(self.folder / name) for name in ("out", "away")])

    def test_strings_teach_nothing(self):
        """rules: a file that was only asked for by a denied string, or that a moved symlink leads to, is as free as before"""
        (self.folder / "vault").mkdir()
        climbed, linked, led = (self.secret(name) for name in ("climbed", "linked", "led"))
        os.symlink(linked, self.folder / "vault/link")
        os.symlink(led, self.folder / "vault/moved")
        self.deny(f"{self.folder}/vault/")
        account, _ = self.watched("alias_ops", "plain", "-", f"{self.folder}/vault/../climbed", "open")
        self.assertEqual([], of(account, verdict="deny"))
        account, _ = self.watched("alias_ops", "plain", "-", self.folder / "vault/link", "open")
        self.assertEqual([str(linked)], [body["path"] for body in of(account, verdict="deny")])
        self.watched_path("/bin/mv", self.folder / "vault/moved", self.folder / "moved")
        time.sleep(0.5)  # what could be learned is
        self.assertEqual([["none"]] * 3, [self.verdicts(path) for path in (climbed, linked, led)])

    def test_learned_stays(self):
        """rules: a file that was moved away from its denied path, or from a glob's, stays denied when other rules change, until its rule goes"""
        secret, key = self.secret(), self.secret("x.key")
        self.deny(secret, f"{self.folder}/*.key")
        self.watched("alias_ops", "plain", "-", key, "open")
        moved = [self.folder / "moved", self.folder / "turned"]
        for file, name in zip((secret, key), moved):
            os.rename(file, name)
        for others in ((), ("/nowhere/else",), ()):
            self.deny(secret, f"{self.folder}/*.key", *others)
            self.assertEqual([True, True], [self.is_denied(name) for name in moved])
        self.deny(secret)
        self.assertEqual([True, False], [self.is_denied(name) for name in moved])

    def test_stranger_in_its_place(self):
        """rules: what stands at the name that a denied file was given is not taken for it when a symlink leads there: nobody can have others' files denied"""
        for name in ("vault/usr", "way"):
            (self.folder / name).mkdir(parents=True)
        self.deny(f"{self.folder}/vault/")
        script = "import os, sys\nos.chdir(sys.argv[1])\nos.rename('vault/usr', 'way/usr')\nos.rename('way', 'gone')\nos.symlink('/', 'way')"
        self.watched_path("/usr/bin/python3", "-c", script, self.folder)
        time.sleep(0.5)  # it is looked up at once
        account, _ = self.watched_path("/usr/bin/true")
        self.assertEqual([], of(account, verdict="deny"))
        account, _ = self.watched("alias_ops", "plain", "-", "/usr/bin/true", "open")
        self.assertEqual(["none"], [body["verdict"] for body in of(account, op="open", path="/usr/bin/true")])

    def test_learned_by_two(self):
        """rules: a file that two globs mean under two names is known by both: one of them may go"""
        first = self.secret("a.key")
        for name in ("b.env", "c"):
            os.link(first, self.folder / name)
        self.put_rules(("watch", f"{self.folder}/*.key"), ("deny", f"{self.folder}/*.env"))
        for name in ("a.key", "b.env"):
            self.watched("alias_ops", "plain", "-", self.folder / name, "open")
        wait_until(lambda: self.is_denied(self.folder / "c"), "it is known", 10)
        self.put_rules(("deny", f"{self.folder}/*.env"))
        self.assertTrue(self.is_denied(self.folder / "c"))

    def test_many_on_one(self):
        """rules: of many exact rules on one file under its names, the one that denies counts"""
        file = self.secret("n0")
        for number in range(1, 6):
            os.link(file, self.folder / f"n{number}")
        before = self.daemon.counters()["file.learn-full"]
        self.put_rules(*(("watch", self.folder / f"n{number}") for number in range(1, 5)), ("deny", self.folder / "n5"))
        self.assertTrue(self.is_denied(file))
        self.assertLess(before, self.daemon.counters()["file.learn-full"])

    def test_glob_learned(self):
        """rules: a file that a glob denied is known by its inode afterwards"""
        path = self.secret("x.key")
        os.link(path, self.folder / "alias")
        self.deny(f"{self.folder}/*.key")
        self.watched("alias_ops", "plain", "-", path, "open")
        account, _ = self.watched("alias_ops", "plain", "-", self.folder / "alias", "open")
        self.assertEqual(1, len(of(account, op="open", path=f"{self.folder}/alias", verdict="deny")))

    def test_number_used_again(self):
        """rules: a new file that has the inode number of a denied one that is gone is not denied, by its path or a glob's"""
        self.assert_number_means_nothing(self.folder)

    def test_number_used_again_in_overlay(self):
        """rules: so it is in an overlay, whose files have no generation of their own"""
        for name in ("low", "all"):
            (self.folder / name).mkdir()
        self.overlaid(self.folder / "low", self.folder, self.folder / "all")
        self.assert_number_means_nothing(self.folder / "all")

    def assert_number_means_nothing(self, folder):
        for name, rule in (("secret", f"{folder}/secret"), ("x.key", f"{folder}/*.key")):
            with self.subTest(rule):
                path = folder / name
                path.write_bytes(b"s")
                number = path.stat().st_ino
                self.deny(rule)
                self.learned(path)
                path.unlink()
                self.assertEqual(["none"], self.verdicts(self.with_number(folder, number)))

    def with_number(self, folder, number):
        """A new file with that inode number, where the file system gives it again."""
        for attempt in range(100):
            path = folder / f"new-{number}-{attempt}"
            path.write_bytes(b"s")
            if path.stat().st_ino == number:
                return path
        return self.skipTest("this file system does not use a number again")


if __name__ == "__main__":
    unittest.main()
