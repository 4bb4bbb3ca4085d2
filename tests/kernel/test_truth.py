"""What lineage and events say of a process is what it is now, however it came under watch, or it is unknown."""

import os
import pathlib
import shutil
import subprocess
import unittest

import dbus
from deadline import end_at_exit
from harness import program, wait_until
from kernel_case import KernelCase


class Truth(KernelCase):
    settings = {"watched.limit": 16, "watched.share": 4, "lineage.reconcile_seconds": 1}

    def shell(self, script, **popen):
        """A shell that waits for a line before each `read`; it lives until the test ends."""
        process = subprocess.Popen(["bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   bufsize=1, **popen)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        end_at_exit(process)
        return process

    def ask(self, pid):
        return self.daemon.lineage.GetProcess(dbus.UInt32(pid))

    def knows(self, pid):
        try:
            return bool(self.ask(pid))
        except dbus.DBusException:
            return False

    def shown(self, pid):
        known = self.ask(pid)
        return str(known["exe"]), str(known["cwd"]), [str(word) for word in known["argv"]]

    def in_proc(self, pid):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        return os.readlink(f"/proc/{pid}/exe"), os.readlink(f"/proc/{pid}/cwd"), [word.decode() for word in words]

    def test_watched_again(self):
        """truth: a process that was released and is watched again is known by what it runs from then on"""
        process = self.shell("read x; exec bash -c 'read x; exec bash -c \"read x; cd /usr; exec -a FINAL sleep 60\"'")
        target = self.daemon.start(process.pid)
        for image in (1, 2):
            process.stdin.write("go\n")
            wait_until(lambda: str(self.shown(process.pid)[2][-1]).count("read x") == 3 - image, "the next program")
        self.daemon.stop_monitoring(target)
        self.daemon.start(process.pid)
        self.assertEqual(self.in_proc(process.pid), self.shown(process.pid))
        process.stdin.write("go\n")
        wait_until(lambda: self.shown(process.pid)[2][0] == "FINAL", "its last program")
        self.assertEqual(self.in_proc(process.pid), self.shown(process.pid))

    def test_refused_then_adopted(self):
        """truth: a process that found no room is known by its own program once there is room, not by its parent's"""
        process = self.shell("read x; sleep 2.5 & sleep 2.5 & sleep 2.5 & (cd /usr; echo $BASHPID; exec sleep 61) & wait")
        self.daemon.start(process.pid)
        process.stdin.write("go\n")
        child = int(process.stdout.readline())
        self.addCleanup(lambda: os.kill(child, 9))
        wait_until(lambda: pathlib.Path(f"/proc/{child}/comm").read_text() == "sleep\n", "the child's exec")
        wait_until(lambda: self.knows(child), "the child's fork event")
        self.assertNotIn("read x", " ".join(self.shown(child)[2]), "it has its parent's text")
        wait_until(lambda: self.shown(child) == self.in_proc(child), "the adopted one's own text")

    def test_nested_target_counts_who_is_taken_in(self):
        """truth: a target within a target says how many living descendants came with its root"""
        process = self.shell("bash -c 'sleep 62 & sleep 62 & echo $$; wait'; true")
        inner = int(process.stdout.readline())
        self.addCleanup(lambda: subprocess.run(["pkill", "-9", "-P", str(inner)], check=False))
        self.daemon.start(process.pid)
        target = self.daemon.start(inner)
        row = self.daemon.targets()[target]
        self.assertEqual((2, 3), (int(row["adopted"]), int(row["live"])))

    def test_lazily_unmounted(self):
        """truth: a program on a tree that was lazily unmounted is marked: its path lacks its beginning"""
        mount = self.folder / "mount"
        mount.mkdir()
        script = f"mount -t tmpfs none {mount} && mkdir {mount}/sub && cp {program('tiny')} {mount}/sub && " \
                 f"cd {mount}/sub && umount -l {mount} && exec ./tiny"
        account, _ = self.watched_path(shutil.which("unshare"), "--mount", "sh", "-c", script)
        last = next(iter(account.execs[account.id_of(self.last.pid)][-1:]))
        self.assertTrue(last["exec"].get("exe_truncated"), last)
        self.assertTrue(last["exec"].get("cwd_truncated"), last)


if __name__ == "__main__":
    unittest.main()
