"""Other threads that change what a call was given, or what it returned, while it runs: by each hook set."""

import os
import unittest

from file_case import FileCase, KERNEL_SKIPS, of
from kernel_case import QUICK

MUST = os.environ.get("AA_MUST_HOOKS", "").split(",")  # hook sets that this machine must have
TRIES = 2_000 if QUICK else 5_000  # in rounds that a reader in Python can follow
ROUNDS = 1 if QUICK else 20


def is_part_of(some, rows):
    """Whether they are among them, in the same order."""
    rest = iter(rows)
    return all(one in rest for one in some)


class Races:
    """The tests, of the hook set `hooks`."""

    @classmethod
    def setUpClass(cls):
        hooks = cls.settings["file.hooks"]
        if os.environ.get("AA_HOOKS", hooks) != hooks:
            raise unittest.SkipTest("another hook set is forced")
        super().setUpClass()
        states = [row for row in cls.daemon.property("ProbeStates") if row[0] == "file"]
        if all(row[2] == "unavailable" for row in states):
            cls.daemon.stop()
            reason = f"{hooks} does not run here: {states[0][4]}"
            raise AssertionError(reason) if hooks in MUST else unittest.SkipTest(reason)

    def shortDescription(self):
        return f"{super().shortDescription()} ({self.settings['file.hooks']})"

    def setUp(self):
        super().setUp()
        for name in ("aaaa", "bbbb"):
            (self.folder / name).touch()
        self.first, self.second = (str(self.folder / name) for name in ("aaaa", "bbbb"))

    def round(self, name, op="open", *arguments):
        """What `name` says of its TRIES, the `op`s that are told, and how many runs of our programs the kernel skipped meanwhile."""
        before = self.daemon.counters().get("file.recursion", 0)
        account, said = self.watched(name, self.folder, TRIES, *arguments, deadline=120, sound=not KERNEL_SKIPS)
        skipped = self.assert_ledger().get("file.recursion", 0) - before
        told = [body for body in of(account, op=op) if body["result"] >= 0]
        self.assertEqual({self.settings["file.hooks"]}, {body["hook"] for body in told})
        return [line.split() for line in said.splitlines()], told, skipped

    def test_rewritten_buffer(self):
        """races: a path buffer rewritten during the call never makes the event name another file than the one opened"""
        names = {os.stat(path).st_ino: path for path in (self.first, self.second)}
        rewritten = changed = tries = 0
        for _ in range(ROUNDS):
            said, told, skipped = self.round("rewrite_path")
            opened = [names[int(value)] for word, value in said if word == "opened"]
            named = [body["path"] for body in told if body["path"] in names.values()]
            if skipped and KERNEL_SKIPS:
                self.assertTrue(is_part_of(named, opened), f"{len(named)} among {len(opened)}, {skipped} skipped")
                self.assertLessEqual(len(opened) - len(named), skipped)
            else:
                self.assertEqual(opened, named)
            changed += sum("changed" in body.get("flags_path", ()) for body in told)
            rewritten += int(said[-1][1])
            tries += TRIES
        print(f"        rewritten in {rewritten} of {tries} calls, 0 told of the other file, {changed} marked", flush=True)
        self.assertGreater(rewritten, 0, "the buffer was never rewritten in time: this proves nothing")
        if self.settings["file.hooks"] == "tracepoint" and rewritten > 100:  # the others have the kernel's copy
            self.assertGreater(changed, 0, "the string differed between the call's beginning and end")

    def test_swapped_descriptor(self):
        """races: a thread that puts another file behind the returned descriptor deceives no hook of the kernel's functions"""
        wrong = swapped = tries = 0
        for _ in range(ROUNDS):
            said, told, skipped = self.round("swap_descriptor")
            opened, found = (int(value) for _, value in said)
            told = [body for body in told if body.get("requested", body["path"]) == self.first]
            self.assertLessEqual({body["path"] for body in told}, {self.first, self.second})
            if KERNEL_SKIPS:
                self.assertLessEqual(opened - len(told), skipped)
            else:
                self.assertEqual(opened, len(told))
            wrong += sum(body["path"] == self.second for body in told)
            swapped += found
            tries += opened
        print(f"        {wrong} of {tries} opens named the other file; behind {swapped} it was found", flush=True)
        self.assertGreater(swapped, 0, "no descriptor was swapped in time: this proves nothing")
        if self.settings["file.hooks"] != "tracepoint":
            self.assertEqual(0, wrong)

    def test_swapped_folder(self):
        """races: a thread that changes the folder which a name starts from deceives no hook of the kernel's functions, and is marked by the others"""
        self.swap_folder()

    def test_swapped_root(self):
        """races: a thread that changes the root which a whole name starts from deceives no hook of the kernel's functions, and is marked by the others"""
        self.swap_folder("root")

    def swap_folder(self, *what):
        for name in ("a", "b"):
            (self.folder / name).mkdir()
            (self.folder / name / "x").touch()
        wrong = unmarked = tries = 0
        for _ in range(ROUNDS):
            said, told, skipped = self.round("swap_folder", "chmod", *what)
            changed = [name for word, name in said if word == "changed"]
            tries += len(changed)
            if skipped and KERNEL_SKIPS:
                continue  # which of them is missing nobody knows
            self.assertEqual(len(changed), len(told))
            others = [body for name, body in zip(changed, told) if body.get("ns_path", body["path"]) != f"{self.folder}/{name}/x"]
            wrong += len(others)
            unmarked += sum("changed" not in body.get("flags_path", ()) for body in others)
        print(f"        {wrong} of {tries} changes of mode named the other file, {unmarked} of them unmarked", flush=True)
        if self.settings["file.hooks"] != "tracepoint":
            self.assertEqual(0, wrong)
        else:
            self.assertEqual(0, unmarked)


class Fentry(Races, FileCase):
    settings = {"file.hooks": "fentry"}


class Kprobe(Races, FileCase):
    settings = {"file.hooks": "kprobe"}


class Tracepoint(Races, FileCase):
    settings = {"file.hooks": "tracepoint"}

    def test_rewritten_far_behind(self):
        """races: a string that is rewritten far behind its beginning is marked too, and the event names the file opened"""
        self.folder = self.folder / ("d" * 250) / ("e" * 250)
        self.folder.mkdir(parents=True)
        super().setUp()
        self.test_rewritten_buffer()


if __name__ == "__main__":
    unittest.main()
